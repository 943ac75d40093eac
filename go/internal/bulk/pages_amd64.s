#include "textflag.h"

#define PAGE 4096

// AHEAD asks for the four lines after the next four of a page.
#define AHEAD(page) \
	PREFETCHT2 (page*PAGE+256)(SI) \
	PREFETCHT2 (page*PAGE+320)(SI) \
	PREFETCHT2 (page*PAGE+384)(SI) \
	PREFETCHT2 (page*PAGE+448)(SI)

// STORE copies four lines of a page.
#define STORE(page) \
	VMOVDQU64 (page*PAGE)(SI), Z0 \
	VMOVDQU64 (page*PAGE+64)(SI), Z1 \
	VMOVDQU64 (page*PAGE+128)(SI), Z2 \
	VMOVDQU64 (page*PAGE+192)(SI), Z3 \
	VMOVNTDQ  Z0, (page*PAGE)(DI) \
	VMOVNTDQ  Z1, (page*PAGE+64)(DI) \
	VMOVNTDQ  Z2, (page*PAGE+128)(DI) \
	VMOVNTDQ  Z3, (page*PAGE+192)(DI)

// func storePages(to, from []byte)
TEXT ·storePages(SB), NOSPLIT, $0-48
	MOVQ to_base+0(FP), DI
	MOVQ to_len+8(FP), R8
	MOVQ from_base+24(FP), SI
	SHRQ $14, R8 // groups of four pages
	JZ   done
group:
	MOVQ $(PAGE/256), CX
lines:
	AHEAD(0)
	AHEAD(1)
	AHEAD(2)
	AHEAD(3)
	STORE(0)
	STORE(1)
	STORE(2)
	STORE(3)
	ADDQ $256, SI
	ADDQ $256, DI
	DECQ CX
	JNZ  lines
	ADDQ $(3*PAGE), SI
	ADDQ $(3*PAGE), DI
	DECQ R8
	JNZ  group
	// What is stored past the caches is in no order with later stores, such as that of the word which publishes it (Intel SDM vol. 1, 10.4.6.2).
	SFENCE
	VZEROUPPER
done:
	RET

// func isIntel() bool
TEXT ·isIntel(SB), NOSPLIT, $0-1
	XORL AX, AX
	XORL CX, CX
	CPUID
	CMPL BX, $0x756e6547 // Genu
	JNE  other
	CMPL DX, $0x49656e69 // ineI
	JNE  other
	CMPL CX, $0x6c65746e // ntel
	JNE  other
	MOVB $1, ret+0(FP)
	RET
other:
	MOVB $0, ret+0(FP)
	RET
