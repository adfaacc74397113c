"""Whether another node can serve a floating group while its owner makes a change that disturbs hosts.

A node that waits itself, for a group of its own, has not applied the change either. Where only such nodes are
left, the one with the first name gives its groups away before the others do. So no two exchange their groups.
"""

from lunmapd.core.floating.documents import CandidateViews
from lunmapd.core.planning.moving import Others


def others_of(node: str, views: CandidateViews, revision: int) -> Others:
    """Return what `node`, the owner, can expect of the other candidates for a change of `revision`."""
    reports = {name: view.report for name, view in views.items() if view.live and name != node}
    moving = {name: report for name, report in reports.items() if report.moving}
    others = [report for name, report in reports.items() if name not in moving]
    if any(report.revision < revision for report in others):
        return Others.BEHIND
    if any(report.fit for report in others):
        return Others.READY
    if not moving:
        return Others.NONE
    is_first = node < min(moving) and any(report.fit for report in moving.values())
    return Others.READY if is_first else Others.BEHIND
