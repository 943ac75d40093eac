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
	MOVW  R3, ret+24(FP)
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
	MOVD  $1, R6
	MOVB  R6, ret+32(FP)
	RET
