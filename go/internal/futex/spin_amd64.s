#include "textflag.h"

// func SpinWhile32(addr *uint32, old uint32, n int) uint32
//
// x86 loads are acquire loads (Intel SDM vol. 3, 9.2): what the peer wrote before its store of the new value is seen after it.
TEXT ·SpinWhile32(SB), NOSPLIT, $0-28
	MOVQ addr+0(FP), AX
	MOVL old+8(FP), CX
	MOVQ n+16(FP), DX
again:
	MOVL (AX), BX
	CMPL BX, CX
	JNE  changed
	PAUSE
	DECQ DX
	JGT  again
changed:
	MOVL BX, ret+24(FP)
	RET

// func SpinEither(word *uint32, old uint32, mask *uint64, n int) bool
TEXT ·SpinEither(SB), NOSPLIT, $0-33
	MOVQ word+0(FP), AX
	MOVL old+8(FP), CX
	MOVQ mask+16(FP), SI
	MOVQ n+24(FP), DX
again:
	MOVL (AX), BX
	CMPL BX, CX
	JNE  ready
	CMPQ (SI), $0
	JNE  ready
	PAUSE
	DECQ DX
	JGT  again
	MOVB $0, ret+32(FP)
	RET
ready:
	MOVB $1, ret+32(FP)
	RET
