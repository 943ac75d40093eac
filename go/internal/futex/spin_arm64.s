#include "textflag.h"

// func SpinWhile32(addr *uint32, old uint32, n int) uint32
TEXT ·SpinWhile32(SB), NOSPLIT, $0-28
	MOVD  addr+0(FP), R0
	MOVWU old+8(FP), R1
	MOVD  n+16(FP), R2
again:
	LDARW (R0), R3
	CMPW  R3, R1
	BNE   changed
	YIELD
	SUBS  $1, R2, R2
	BGT   again
changed:
	PRFM  64(R0), PLDL1KEEP
	MOVW  R3, ret+24(FP)
	RET

// func StoreRelease(addr *uint32, value uint32)
TEXT ·StoreRelease(SB), NOSPLIT, $0-12
	MOVD  addr+0(FP), R0
	MOVWU value+8(FP), R1
	STLRW R1, (R0)
	RET

// func PrefetchRead(addr *uint32)
TEXT ·PrefetchRead(SB), NOSPLIT, $0-8
	MOVD addr+0(FP), R0
	PRFM (R0), PLDL1KEEP
	PRFM 64(R0), PLDL1KEEP
	RET

// func PrefetchWrite(addr *uint32, lines int)
TEXT ·PrefetchWrite(SB), NOSPLIT, $0-16
	MOVD addr+0(FP), R0
	MOVD lines+8(FP), R1
again:
	PRFM (R0), PSTL1KEEP
	ADD  $64, R0
	SUBS $1, R1, R1
	BGT  again
	RET

// func SpinEither(word *uint32, old uint32, mask *uint64, n int) bool
TEXT ·SpinEither(SB), NOSPLIT, $0-33
	MOVD  word+0(FP), R0
	MOVWU old+8(FP), R1
	MOVD  mask+16(FP), R4
	MOVD  n+24(FP), R2
again:
	LDARW (R0), R3
	CMPW  R3, R1
	BNE   ready
	LDAR  (R4), R5
	CBNZ  R5, ready
	YIELD
	SUBS  $1, R2, R2
	BGT   again
	MOVB  ZR, ret+32(FP)
	RET
ready:
	PRFM  64(R0), PLDL1KEEP
	MOVD  $1, R6
	MOVB  R6, ret+32(FP)
	RET
