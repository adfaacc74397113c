from rtslib_fb.node import CFSNode

alua_rw_params: list[str]

class ALUATargetPortGroup(CFSNode): ...
