"""The verbs of `lunmapctl`. Their modules are imported when they are run (see `lazy`)."""

from collections.abc import Mapping

from lunmapd.service.ctl.start.lazy import Verb

_HERE = "lunmapd.service.ctl"

VERBS: Mapping[str, Verb] = {
    name: Verb(f"{_HERE}.{module}", command, summary)
    for name, module, command, summary in (
        ("acl", "acl", "acl", "Manage the roles of admins, readers and nodes."),
        ("apply", "edit", "apply", "Commit the map of a file."),
        ("backup", "upkeep", "backup", "Write the map and its history to a file."),
        ("check", "check", "check", "Print one line for Nagios or Icinga."),
        ("confirm", "edit", "confirm", "Confirm the removals that nodes hold."),
        ("convert", "offline.convert", "convert_command", "Make a map of other tools' files."),
        ("diff", "history", "diff", "Show the changes between two revisions."),
        ("edit", "edit", "edit_map", "Edit the map in an editor and commit it."),
        ("explain", "look.explain", "explain", "Show why a host sees a Lun, or why not."),
        ("export", "export", "export", "Write what a node serves as a file of targetctl."),
        ("forget", "forget", "forget", "Remove the status of a retired node."),
        ("get", "get", "get", "Print the map, a section or an object."),
        ("group", "edits.host", "group_verbs", "Create and change groups of hosts."),
        ("host", "edits.host", "host_verbs", "Add, change and remove hosts."),
        ("import", "edit", "large", "Handle an interrupted large commit."),
        ("init", "edit", "init", "Create an empty map in ZooKeeper."),
        ("log", "history", "log", "List the revisions, newest first."),
        ("lun", "edits.lun", "lun_verbs", "Create, change and delete Luns."),
        ("map", "edits.maps", "map_verb", "Let hosts see a Lun."),
        ("migrate", "upkeep", "migrate", "Migrate the tree to this version's schema."),
        ("node", "edits.server", "node_verbs", "Add, change and remove storage nodes."),
        ("override", "override", "override", "Let nodes take steps that they hold."),
        ("plan", "edit", "plan", "Show what nodes would do, and to whom."),
        ("probe", "probe", "probe", "Compare what a host sees with the map."),
        ("probe-setup", "probe_setup", "probe_setup", "Add the initiator that 'probe' logs in as."),
        ("repair", "upkeep", "repair", "Revert out-of-band edits."),
        ("restore", "upkeep", "restore", "Restore the map of a backup."),
        ("rollback", "edit", "rollback", "Commit the map of an earlier revision."),
        ("schema", "offline.schema", "schema", "Print the JSON Schema of map files."),
        ("secret", "secret", "secret", "Manage CHAP passwords and their keys."),
        ("show", "history", "show", "Show one revision with its changes."),
        ("status", "status", "status", "Show nodes, revisions, paths and problems."),
        ("target", "edits.server", "target_verbs", "Create, change and delete targets."),
        ("trim", "upkeep", "trim", "Remove old revisions."),
        ("unmap", "edits.maps", "unmap_verb", "Take a Lun from hosts."),
        ("validate", "offline.validate", "validate", "Check map files without ZooKeeper."),
    )
}

EDITS: Mapping[str, Verb] = {
    name: VERBS[name] for name in ("group", "host", "lun", "map", "node", "target", "unmap")
}
"""The short verbs, which can follow `plan`."""
