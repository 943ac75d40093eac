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
	PREFETCHT0 64(AX)
	MOVL BX, ret+24(FP)
	RET

// func StoreRelease(addr *uint32, value uint32)
//
// x86 stores are release stores: what was written before is seen by whoever sees this one (Intel SDM vol. 3, 9.2).
TEXT ·StoreRelease(SB), NOSPLIT, $0-12
	MOVQ addr+0(FP), AX
	MOVL value+8(FP), CX
	MOVL CX, (AX)
	RET

// func PrefetchRead(addr *uint32)
TEXT ·PrefetchRead(SB), NOSPLIT, $0-8
	MOVQ addr+0(FP), AX
	PREFETCHT0 (AX)
	PREFETCHT0 64(AX)
	RET

// func PrefetchWrite(addr *uint32, lines int)
TEXT ·PrefetchWrite(SB), NOSPLIT, $0-16
	MOVQ addr+0(FP), AX
	MOVQ lines+8(FP), CX
again:
	BYTE $0x0F; BYTE $0x0D; BYTE $0x08 // PREFETCHW (AX), which the assembler does not know
	ADDQ $64, AX
	DECQ CX
	JGT  again
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
	PREFETCHT0 64(AX)
	MOVB $1, ret+32(FP)
	RET
