"""iSCSI from an initiator's side, by libiscsi: discovery, login, and SCSI commands that read."""
