"""The commands that initiators send."""

from lunmapd.core.node.observed import AclLuns, HostCommands
from lunmapd.lio.observe.commands import count_commands
from support.configfs_tree import IQN, TPGT, Tree

HOST = "iqn.2026-01.org.example:host"
ACL = f"{TPGT}/acls/{HOST}"


def test_the_commands_of_each_lun_are_counted(tree: Tree) -> None:
    """A LUN that is gone, or whose kernel has no such counter, is left out."""
    tree.write(f"{ACL}/lun_0/statistics/scsi_auth_intr/num_cmds", "207")
    tree.write(f"{ACL}/lun_1/statistics/scsi_auth_intr/num_cmds", "3")
    tree.write(f"{ACL}/lun_2/write_protect", "0")
    tree.write(f"{ACL}/info", "CmdSN/WR : CmdSN/WC : ExpCmdSN : MaxCmdSN : ITT : TTT\n 0x40   0x3f   0x0 ")
    found = count_commands(tree.root, [AclLuns(IQN, 1, HOST, (0, 2, 7)), AclLuns(IQN, 1, "iqn.x:gone", (0,))])
    assert found == (
        HostCommands(IQN, 1, HOST, ((0, 207),), in_flight=True),
        HostCommands(IQN, 1, "iqn.x:gone"),
    )
