"""The texts of crm, pcs and the CIB, and of reactor, are read; a damaged one is refused."""

import pytest

from lunmapd.core.conversion.agents import convert_resources
from lunmapd.core.conversion.cib import read_cib
from lunmapd.core.conversion.cluster_commands import read_commands
from lunmapd.core.conversion.cluster_resources import ClusterResources
from lunmapd.core.conversion.conversion import Choices, NotConvertibleError, SourceText
from lunmapd.core.conversion.crm_text import read_crm, read_pcs
from lunmapd.core.conversion.formats import SourceFormat, convert_files, format_of
from lunmapd.core.conversion.reactor import read_reactor
from support.cluster_resources import SOURCES, lost
from support.foreign_files import H1, H2, IQN


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("    incoming_password=it's\\a\"pw", "it's\\a\"pw"),
        ('    incoming_password="a b\'c\\d"', "a b'c\\d"),
        ("    incoming_password='a \"b\" c'", 'a "b" c'),
        ('    incoming_password="a \\"b\\" \'c\'"', "a \"b\" 'c'"),
        ("    incoming_password=a=b", "a=b"),
    ],
)
def test_a_value_of_pcs_is_quoted_as_pcs_does(line: str, value: str) -> None:
    """It quotes a value with a space or an equals sign only, and escapes nothing but its own quotation mark.

    The source is quote() in pcs/common/str_tools.py.
    """
    text = f" Resource: a (class=ocf provider=x type=y)\n  Attributes: a-instance_attributes\n{line}\n    b=c"
    given = read_pcs(text, "f").primitives[0].parameters
    assert given == {"incoming_password": value, "b": "c"}


def test_commands_of_pcs_are_read() -> None:
    """A script, and what `pcs resource config --output-format cmd` prints; other lines are left out."""
    text = f"""#!/bin/sh
echo "a quotation mark that does not end
pcs resource create --no-default-ops --force -- ip1 ocf:heartbeat:IPaddr2 \\
  cidr_netmask=24 ip=10.0.0.100 \\
  op monitor interval=10s
sudo pcs -f cib.xml resource create t1 iSCSITarget iqn={IQN} 'allowed_initiators={H1} {H2}' --group g meta a=b
pcs resource create
pcs resource create lonely
pcs resource create lun1 ocf:heartbeat:iSCSILogicalUnit target_iqn={IQN} lun=1 \\"""
    assert format_of(SourceText("f", text)) is SourceFormat.PACEMAKER
    found = {each.name: each for each in read_commands(text, "f").primitives}
    assert (found["ip1"].agent, found["ip1"].parameters) == (
        "IPaddr2",
        {"ip": "10.0.0.100", "cidr_netmask": "24"},
    )
    assert found["t1"].parameters == {"iqn": IQN, "allowed_initiators": f"{H1} {H2}"}
    assert (found["lun1"].parameters["lun"], found["lun1"].place, found["lonely"].agent) == ("1", "f:9", "")
    assert convert_files([SourceText("f", text)], Choices()).conversion.lunmap.luns["lun1"].maps


def test_commands_of_crm_are_read() -> None:
    """A script may have each resource as a command of its own."""
    text = f"""  crm -F configure primitive t1 ocf:heartbeat:iSCSITarget \\
    params iqn="{IQN}" allowed_initiators="{H1}" op monitor interval="10s"
crm configure primitive lun1 iSCSILogicalUnit params target_iqn={IQN} lun=1 meta target-role=Started
crm configure group g t1 lun1
"""
    assert format_of(SourceText("f", text)) is SourceFormat.PACEMAKER
    first, second = read_commands(text, "f").primitives
    assert (first.agent, first.parameters) == ("iSCSITarget", {"iqn": IQN, "allowed_initiators": H1})
    assert (second.name, second.parameters) == ("lun1", {"target_iqn": IQN, "lun": "1"})


def test_the_place_of_a_remark_is_a_line() -> None:
    """A remark names the line of the resource in the text."""
    for name, line in (("crm", 9), ("pcs", 24), ("cib", 13)):
        remarks = convert_resources(SOURCES[name], Choices()).remarks
        assert [each.place for each in remarks if each.text == "luns[lun1]"] == [f"{name}:{line}"]


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (read_cib, '<!DOCTYPE cib [<!ENTITY a "b">]><cib>&a;</cib>'),
        (read_cib, "<cib>"),
        (read_crm, 'primitive a b params x="y'),
        (read_crm, "primitive a b params x='y \\"),
        (read_crm, 'node n1\nxml <primitive id="a" type="b"> \\\n</primitive>\n'),
        (read_pcs, " Resource: a (template=b)\n  Attributes: c=d"),
        (read_reactor, "promoter = 1"),
        (read_reactor, "a b"),
        (read_reactor, '[[promoter]]\n[promoter.resources.a]\nstart = ["ocf:x:y"]'),
    ],
)
def test_a_damaged_file_is_refused(read: object, text: str) -> None:
    """A file that is not of its form is refused with its name; a document type never expands."""
    with pytest.raises(NotConvertibleError, match="file"):
        read(text, "file")  # type: ignore[operator]


def test_attributes_of_a_group_are_not_those_of_the_resource_before_it() -> None:
    """In the text of pcs they have the same word, and would give a Lun another path."""
    text = (
        "Resource: a (class=ocf provider=x type=y)\n  Attributes: path=/dev/a\n"
        "Group: g\n  Attributes: path=/dev/b\n"
        "Location Constraints:\n  Resource: a\n    Enabled on: n1 (score:50)\n"
    )
    assert [each.parameters for each in read_pcs(text, "f").primitives] == [{"path": "/dev/a"}]
    assert read_crm("xml <acl_role/>\nnode n1\n", "f").nodes == ("n1",)


def test_a_text_that_ends_inside_a_statement_is_read() -> None:
    """A backslash at the end of crm's text, or a list of nodes without one, loses nothing."""
    assert read_crm("node n1\nprimitive a ocf:x:y params b=c \\", "f").primitives[0].parameters == {"b": "c"}
    assert read_pcs("Pacemaker Nodes: n1 n2\n", "f").nodes == ("n1", "n2")
    assert read_pcs("Corosync Nodes:\n n1\nPacemaker Nodes:\n\nResources:\n", "f").nodes == ("n1",)


@pytest.mark.parametrize(
    "resources",
    [
        read_crm("primitive lun1 @base params lun=1", "crm"),
        read_cib('<cib><primitive id="lun1" template="base"/></cib>', "cib"),
    ],
)
def test_a_template_is_named(resources: ClusterResources) -> None:
    """A resource whose agent is that of a template is lost, with what to do."""
    (text,) = lost(convert_resources(resources, Choices()))
    assert text == "lun1 is of template @base, which is not read: write it out"
