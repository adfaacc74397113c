"""The verbs of `lunmapctl`. Their modules are imported when they are run (see `lazy`)."""

from collections.abc import Mapping

from lunmapd.service.ctl.start.lazy import Verb

_HERE = "lunmapd.service.ctl"
_GROUPS: Mapping[str, tuple[tuple[str, str, str, str], ...]] = {
    "Look": (
        ("check", "look.check", "check", "Print one line for Nagios or Icinga."),
        ("diff", "history", "diff", "Show the changes between two revisions."),
        ("explain", "look.explain", "explain", "Show why a host sees a Lun, or why not."),
        ("get", "get", "get", "Print the map, a section or an object."),
        ("log", "history", "log", "List the revisions, newest first."),
        ("plan", "look.plan", "plan", "Show what nodes would do, and to whom."),
        ("probe", "probe", "probe", "Compare what a host sees with the map."),
        ("serve", "page.serve", "serve_pages", "Serve a read-only page for browsers."),
        ("show", "history", "show", "Show one revision with its changes."),
        ("status", "look.status", "status", "Show nodes, revisions, paths and problems."),
        ("validate", "offline.validate", "validate", "Check map files without ZooKeeper."),
    ),
    "Change": (
        ("apply", "edit", "apply", "Commit the map of a file."),
        ("edit", "edit", "edit_map", "Edit the map in an editor and commit it."),
        ("group", "edits.host", "group_verbs", "Create and change groups of hosts."),
        ("host", "edits.host", "host_verbs", "Add, change and remove hosts."),
        ("lun", "edits.lun", "lun_verbs", "Create, change and delete Luns."),
        ("map", "edits.maps", "map_verb", "Let hosts see a Lun."),
        ("revert", "edits.revert", "revert", "Undo one revision, and keep later ones."),
        ("rollback", "edit", "rollback", "Commit the map of an earlier revision."),
        ("rollout", "edits.rollout", "rollout_verbs", "Show, continue or abort a rollout."),
        ("secret", "secret", "secret", "Manage CHAP passwords and their keys."),
        ("target", "edits.server", "target_verbs", "Create, change and delete targets."),
        ("unmap", "edits.maps", "unmap_verb", "Take a Lun from hosts."),
    ),
    "Nodes": (
        ("confirm", "edit", "confirm", "Confirm a rollout, or removals that nodes hold."),
        ("drain", "edits.drain", "drain", "Lead hosts away from a node."),
        ("float", "edits.floating", "floating", "Change, show and move floating groups."),
        ("forget", "forget", "forget", "Remove the status of a retired node."),
        ("node", "edits.server", "node_verbs", "Add, change and remove storage nodes."),
        ("override", "override", "override", "Let nodes take steps that they hold."),
        ("retire", "edits.retire", "retire", "Take a node out of use for good."),
        ("undrain", "edits.drain", "undrain", "Let a drained node serve again."),
    ),
    "Upkeep": (
        ("acl", "acl", "acl", "Manage the roles of admins, readers and nodes."),
        ("backup", "upkeep", "backup", "Write the map and its history to a file."),
        ("convert", "offline.convert", "convert_command", "Make a map of other tools' files."),
        ("export", "export", "export", "Write what a node serves as a file of targetctl."),
        ("help", "start.help_verb", "help_verb", "Show the help of a command."),
        ("import", "edit", "large", "Handle an interrupted large commit."),
        ("init", "edit", "init", "Create an empty map in ZooKeeper."),
        ("migrate", "upkeep", "migrate", "Migrate the tree to this version's schema."),
        ("probe-setup", "probe_setup", "probe_setup", "Add the initiator that 'probe' logs in as."),
        ("repair", "upkeep", "repair", "Revert out-of-band edits."),
        ("restore", "upkeep", "restore", "Restore the map of a backup."),
        ("schema", "offline.schema", "schema", "Print the JSON Schema of map files."),
        ("trim", "upkeep", "trim", "Remove old revisions."),
    ),
}
"""By heading of the help: word, module, name of the command there, summary of less than 50 characters."""

VERBS: Mapping[str, Verb] = {
    word: Verb(f"{_HERE}.{module}", command, summary, heading)
    for heading, verbs in _GROUPS.items()
    for word, module, command, summary in verbs
}

_EDITS = ("drain", "group", "host", "lun", "map", "node", "revert", "target", "undrain", "unmap")

EDITS: Mapping[str, Verb] = {
    **{name: VERBS[name] for name in _EDITS},
    "float": VERBS["float"]._replace(module=f"{_HERE}.edits.floating_edits", command="floating_edits"),
}
"""The short verbs, and `revert`: they can follow `plan`. Of `float` those that commit."""
