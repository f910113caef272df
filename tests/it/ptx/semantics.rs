//! Single instructions beside values worked out by hand.

use super::{
    kernels::{Kernels, bytes_of},
    machine::Argument,
    memory::Trouble,
};

/// A kernel with these instructions, which leave their result in `%rd9`; `%rd1` and `%rd2` are its first arguments,
/// `%r1` to `%r3` and `%rs1` to `%rs3` their low bits, and `%rd8` the address of 64 bytes that count up from 1.
pub fn kernel(body: &str) -> String {
    format!(
        ".version 8.0\n.target sm_70\n.address_size 64\n\
         .const .align 4 .u32 TABLE[3] = {{10, 20, 30}};\n\
         .func (.param .b32 out) twice(.param .b32 in)\n{{\n\
         .reg .b32 %r<3>;\nld.param.u32 %r1, [in];\nadd.s32 %r2, %r1, %r1;\n\
         st.param.b32 [out+0], %r2;\nret;\n}}\n\
         .visible .entry snippet(.param .u64 a, .param .u64 b, .param .u64 bytes, .param .u64 result)\n\
         {{\n.reg .pred %p<9>;\n.reg .b16 %rs<20>;\n.reg .b32 %r<20>;\n.reg .b64 %rd<20>;\n\
         .local .align 16 .b8 depot[64];\n.shared .align 8 .b8 stage[64];\n\
         ld.param.u64 %rd1, [a];\nld.param.u64 %rd2, [b];\nld.param.u64 %rd8, [bytes];\n\
         ld.param.u64 %rd10, [result];\n\
         cvt.u32.u64 %r1, %rd1;\ncvt.u32.u64 %r2, %rd2;\nshr.u64 %rd3, %rd2, 32;\ncvt.u32.u64 %r3, %rd3;\n\
         cvt.u16.u64 %rs1, %rd1;\ncvt.u16.u64 %rs2, %rd2;\nmov.u64 %rd9, 0;\nmov.u32 %r9, 0;\nmov.u16 %rs9, 0;\n\
         setp.ne.s32 %p1, %r1, 0;\n{body}\nst.global.u64 [%rd10], %rd9;\nret;\n}}\n"
    )
}

/// What such a kernel leaves.
pub fn run(body: &str, a: u64, b: u64) -> Result<u64, Trouble> {
    let kernels = Kernels::of(&kernel(body)).unwrap_or_else(|error| panic!("{body}: {error}"));
    let mut machine = kernels.machine("snippet", 1);
    machine.instructions_max = 10_000;
    let mut memory = kernels.memory();
    let bytes: Vec<u8> = (1..=64).collect();
    let bytes = memory.allocate("bytes", bytes);
    let result = memory.allocate("result", bytes_of(&[0_u64]));
    let arguments = [a, b, bytes.address(), result.address()].map(Argument::Long);
    match machine.launch(&mut memory, 1, 1, &arguments) {
        Ok(()) => Ok(bytemuck::pod_read_unaligned(&memory.buffer(result).bytes)),
        Err(fault) => Err(fault.trouble),
    }
}

/// Instructions of each width, a and b, and what must come out.
#[track_caller]
fn check(cases: &[(&str, u64, u64, u64)]) {
    for &(instruction, a, b, expected) in cases {
        let widen = if instruction.contains("%p9") {
            panic!("there is no such register");
        } else if instruction.contains("%rs9") {
            "cvt.u64.u16 %rd9, %rs9;"
        } else if instruction.contains("%r9") {
            "cvt.u64.u32 %rd9, %r9;"
        } else if instruction.contains("%p2") {
            "selp.u64 %rd9, 1, 0, %p2;"
        } else {
            ""
        };
        let found = run(&format!("{instruction}\n{widen}"), a, b);
        assert_eq!(found, Ok(expected), "{instruction} of {a:#x} and {b:#x}");
    }
}

const MINUS_1: u64 = u64::MAX;

#[test]
fn sums_and_products() {
    check(&[
        ("add.s32 %r9, %r1, %r2;", 0xffff_ffff, 2, 1),
        ("add.s16 %rs9, %rs1, -1;", 0, 0, 0xffff),
        ("add.s64 %rd9, %rd1, %rd2;", MINUS_1, 3, 2),
        ("sub.s32 %r9, %r1, %r2;", 1, 2, 0xffff_ffff),
        ("mul.lo.s32 %r9, %r1, %r2;", 0x1_0001, 0x1_0001, 0x2_0001),
        (
            "mul.hi.u32 %r9, %r1, %r2;",
            0xffff_ffff,
            0xffff_ffff,
            0xffff_fffe,
        ),
        ("mul.hi.s32 %r9, %r1, %r2;", 0xffff_ffff, 2, 0xffff_ffff),
        ("mul.hi.u64 %rd9, %rd1, %rd2;", 1 << 63, 6, 3),
        ("mul.hi.s64 %rd9, %rd1, %rd2;", MINUS_1, 5, MINUS_1),
        (
            "mul.wide.u32 %rd9, %r1, %r2;",
            0xffff_ffff,
            16,
            0xf_ffff_fff0,
        ),
        (
            "mul.wide.s32 %rd9, %r1, %r2;",
            0xffff_ffff,
            16,
            0xffff_ffff_ffff_fff0,
        ),
        ("mul.wide.u16 %r9, %rs1, %rs2;", 0xffff, 0xffff, 0xfffe_0001),
        ("mul.wide.s16 %r9, %rs1, %rs2;", 0xffff, 2, 0xffff_fffe),
        ("mad.lo.s32 %r9, %r1, %r2, 7;", 3, 5, 22),
        (
            "mad.wide.u32 %rd9, %r1, %r2, %rd1;",
            0xffff_ffff,
            2,
            0x2_ffff_fffd,
        ),
        ("div.u32 %r9, %r1, %r2;", 0xffff_fff9, 2, 0x7fff_fffc),
        ("div.s32 %r9, %r1, %r2;", 0xffff_fff9, 2, 0xffff_fffd),
        ("rem.s32 %r9, %r1, %r2;", 0xffff_fff9, 2, 0xffff_ffff),
        ("rem.u64 %rd9, %rd1, %rd2;", 100, 7, 2),
        ("neg.s16 %rs9, %rs1;", 1, 0, 0xffff),
        ("abs.s32 %r9, %r1;", 0xffff_fff9, 0, 7),
        ("min.s32 %r9, %r1, %r2;", 0xffff_ffff, 1, 0xffff_ffff),
        ("min.u32 %r9, %r1, %r2;", 0xffff_ffff, 1, 1),
        ("max.s64 %rd9, %rd1, %rd2;", MINUS_1, 1, 1),
        ("max.u64 %rd9, %rd1, %rd2;", MINUS_1, 1, MINUS_1),
        ("sad.s32 %r9, %r1, %r2, 10;", 0xffff_ffff, 2, 13),
        (
            "add.cc.u32 %r5, %r1, %r2; addc.u32 %r9, 4, 5;",
            0xffff_ffff,
            1,
            10,
        ),
        (
            "add.cc.u32 %r5, %r1, %r2; addc.u32 %r9, 4, 5;",
            0xffff_fffe,
            1,
            9,
        ),
        ("sub.cc.u32 %r5, %r1, %r2; subc.u32 %r9, 9, 5;", 1, 2, 3),
        ("sub.cc.u64 %rd5, %rd1, %rd2; subc.u32 %r9, 9, 5;", 2, 2, 4),
    ]);
}

#[test]
fn bits() {
    check(&[
        ("and.b32 %r9, %r1, -16;", 0x1234_5677, 0, 0x1234_5670),
        ("or.b16 %rs9, %rs1, %rs2;", 0x0f0, 0x00f, 0x0ff),
        ("xor.b64 %rd9, %rd1, %rd2;", 0xff, 0x0f, 0xf0),
        ("not.b16 %rs9, %rs1;", 0x00ff, 0, 0xff00),
        ("cnot.b32 %r9, %r1;", 0, 0, 1),
        (
            "lop3.b32 %r9, %r1, %r2, %r3, 0x80;",
            0b1111,
            0b0111 | 0b1011 << 32,
            0b0011,
        ),
        ("lop3.b32 %r9, %r1, %r2, %r3, 0xf0;", 0b1010, 0xffff, 0b1010),
        (
            "lop3.b32 %r9, %r1, %r2, %r3, 0x96;",
            0b1100,
            0b1010 | 0b0001 << 32,
            0b0111,
        ),
        ("shl.b32 %r9, %r1, %r2;", 1, 31, 1 << 31),
        ("shl.b32 %r9, %r1, %r2;", 1, 32, 0),
        ("shl.b64 %rd9, %rd1, %r2;", 3, 63, 1 << 63),
        ("shl.b16 %rs9, %rs1, 15;", 3, 0, 0x8000),
        ("shr.u32 %r9, %r1, %r2;", 0x8000_0000, 31, 1),
        ("shr.u64 %rd9, %rd1, %r2;", MINUS_1, 64, 0),
        ("shr.s32 %r9, %r1, %r2;", 0x8000_0000, 31, 0xffff_ffff),
        ("shr.s32 %r9, %r1, %r2;", 0x8000_0000, 99, 0xffff_ffff),
        ("shr.s16 %rs9, %rs1, 4;", 0x8000, 0, 0xf800),
        // The second source is the high word.
        (
            "shf.l.wrap.b32 %r9, %r1, %r2, 8;",
            0xab00_0000,
            0x11,
            0x11ab,
        ),
        (
            "shf.r.wrap.b32 %r9, %r1, %r2, 8;",
            0x1234_56ff,
            0xcd,
            0xcd12_3456,
        ),
        ("shf.l.wrap.b32 %r9, %r1, %r2, 33;", 1 << 31, 1, 3),
        ("shf.l.clamp.b32 %r9, %r1, %r2, 33;", 0x77, 1, 0x77),
        ("shf.r.clamp.b32 %r9, %r1, %r2, 40;", 0x77, 0x88, 0x88),
        ("popc.b32 %r9, %r1;", 0xf0f0_0001, 0, 9),
        ("popc.b64 %r9, %rd1;", MINUS_1, 0, 64),
        ("clz.b32 %r9, %r1;", 1, 0, 31),
        ("clz.b32 %r9, %r1;", 0, 0, 32),
        ("clz.b64 %r9, %rd1;", 1, 0, 63),
        ("brev.b32 %r9, %r1;", 0b1011, 0, 0xd000_0000),
        ("brev.b64 %rd9, %rd1;", 1, 0, 1 << 63),
        ("bfind.u32 %r9, %r1;", 0x0001_0000, 0, 16),
        ("bfind.u32 %r9, %r1;", 0, 0, 0xffff_ffff),
        ("bfind.shiftamt.u32 %r9, %r1;", 0x0001_0000, 0, 15),
        ("bfind.s32 %r9, %r1;", 0xffff_fff0, 0, 3),
        ("bfind.u64 %r9, %rd1;", 1 << 40, 0, 40),
        ("bfe.u32 %r9, %r1, 8, 4;", 0x1234_5678, 0, 6),
        ("bfe.s32 %r9, %r1, 4, 4;", 0x1234_56f8, 0, 0xffff_ffff),
        ("bfe.u32 %r9, %r1, 28, 12;", 0xf234_5678, 0, 0xf),
        ("bfe.s32 %r9, %r1, 0, 0;", 0xffff_ffff, 0, 0),
        (
            "bfe.u64 %rd9, %rd1, 32, 64;",
            0x1234_5678_0000_0000,
            0,
            0x1234_5678,
        ),
        (
            "bfi.b32 %r9, %r1, %r2, 8, 8;",
            0x1ab,
            0x1111_1111,
            0x1111_ab11,
        ),
        (
            "bfi.b64 %rd9, %rd1, %rd2, 56, 16;",
            0xabcd,
            0,
            0xcd00_0000_0000_0000,
        ),
        (
            "prmt.b32 %r9, %r1, %r2, 0x7531;",
            0x4433_2211,
            0x8877_6655,
            0x8866_4422,
        ),
        (
            "prmt.b32 %r9, %r1, %r2, 0xc809;",
            0x0000_00ff,
            0x80,
            0xffff_ff00,
        ),
        (
            "prmt.b32.f4e %r9, %r1, %r2, 1;",
            0x4433_2211,
            0x8877_6655,
            0x5544_3322,
        ),
        (
            "prmt.b32.b4e %r9, %r1, %r2, 1;",
            0x4433_2211,
            0x8877_6655,
            0x7788_1122,
        ),
    ]);
}

#[test]
fn comparisons_and_choices() {
    check(&[
        ("setp.lt.u32 %p2, %r1, %r2;", 0xffff_ffff, 1, 0),
        ("setp.lt.s32 %p2, %r1, %r2;", 0xffff_ffff, 1, 1),
        ("setp.le.s32 %p2, %r1, %r2;", 1, 1, 1),
        ("setp.gt.s16 %p2, %rs1, -1;", 0, 0, 1),
        ("setp.gt.u16 %p2, %rs1, %rs2;", 0xffff, 1, 1),
        ("setp.ge.u64 %p2, %rd1, %rd2;", 4, 5, 0),
        ("setp.eq.s64 %p2, %rd1, %rd2;", 1 << 40, 0, 0),
        ("setp.ne.b16 %p2, %rs1, %rs2;", 1, 0x1_0001, 0),
        ("setp.hi.u32 %p2, %r1, %r2;", 2, 1, 1),
        ("setp.lt.and.s32 %p2, %r1, %r2, !%p1;", 1, 2, 0),
        ("setp.lt.or.s32 %p2|%p3, %r1, %r2, %p1;", 3, 2, 1),
        ("setp.lt.and.s32 %p3|%p2, %r1, %r2, %p1;", 3, 2, 1),
        (
            "setp.eq.s32 %p3, %r1, %r2; and.pred %p2, %p1, %p3;",
            3,
            3,
            1,
        ),
        ("not.pred %p2, %p1;", 3, 0, 0),
        ("xor.pred %p2, %p1, %p1;", 3, 0, 0),
        ("mov.pred %p2, 0;", 3, 0, 0),
        ("mov.pred %p2, -1;", 3, 0, 1),
        ("selp.b32 %r9, %r1, %r2, %p1;", 5, 6, 5),
        ("selp.b16 %rs9, %rs1, %rs2, %p1;", 0, 6, 6),
        ("set.lt.u32.s32 %r9, %r1, %r2;", 0xffff_ffff, 0, 0xffff_ffff),
        ("@%p1 mov.u32 %r9, 3;", 1, 0, 3),
        ("@!%p1 mov.u32 %r9, 3;", 1, 0, 0),
    ]);
}

#[test]
fn moves_and_conversions() {
    check(&[
        ("mov.b64 %rd9, {%r1, %r2};", 1, 2, 0x2_0000_0001),
        ("mov.b64 {%r5, %r9}, %rd1;", 0x2_0000_0001, 0, 2),
        ("mov.b64 {%r9, _}, %rd1;", 0x2_0000_0001, 0, 1),
        ("mov.b32 {%rs5, %rs9}, %r1;", 0xabcd_1234, 0, 0xabcd),
        (
            "mov.b64 %rd9, {%rs1, %rs2, %rs2, %rs1};",
            1,
            2,
            0x0001_0002_0002_0001,
        ),
        ("cvt.u32.u16 %r9, %rs1;", 0x1_ffff, 0, 0xffff),
        ("cvt.s32.s16 %r9, %rs1;", 0xffff, 0, 0xffff_ffff),
        ("cvt.s32.s8 %r9, %r1;", 0x180, 0, 0xffff_ff80),
        ("cvt.u32.u8 %r9, %r1;", 0x180, 0, 0x80),
        ("cvt.s16.s8 %rs9, %rs1;", 0x80, 0, 0xff80),
        ("cvt.s8.s32 %r9, %r1;", 0x180, 0, 0xffff_ff80),
        ("cvt.u8.u32 %rs9, %r1;", 0x180, 0, 0x80),
        (
            "cvt.s64.s32 %rd9, %r1;",
            0x8000_0000,
            0,
            0xffff_ffff_8000_0000,
        ),
        ("cvt.u64.u32 %rd9, %r1;", 0x8000_0000, 0, 0x8000_0000),
        ("cvt.u16.u64 %rs9, %rd1;", 0x1_2345, 0, 0x2345),
        ("mov.u32 %r9, %ntid.x;", 0, 0, 1),
        ("mov.u32 %r9, %lanemask_le;", 0, 0, 1),
    ]);
}

#[test]
fn memory() {
    check(&[
        ("ld.global.u8 %rs9, [%rd8+63];", 0, 0, 64),
        ("ld.global.nc.u32 %r9, [%rd8+4];", 0, 0, 0x0807_0605),
        (
            "ld.global.L1::no_allocate.v2.u32 {%r5, %r9}, [%rd8];",
            0,
            0,
            0x0807_0605,
        ),
        (
            "ld.global.v4.u16 {%rs5, %rs6, %rs7, %rs9}, [%rd8];",
            0,
            0,
            0x0807,
        ),
        (
            "ld.global.v2.u64 {%rd8, %rd9}, [%rd8];",
            0,
            0,
            0x100f_0e0d_0c0b_0a09,
        ),
        ("ld.u16 %rs9, [%rd8+2];", 0, 0, 0x0403),
        ("ld.const.u32 %r9, [TABLE+8];", 0, 0, 30),
        ("mov.u64 %rd5, TABLE; ld.const.u8 %rs9, [%rd5+4];", 0, 0, 20),
        (
            "mov.u64 %rd5, depot; st.local.u8 [%rd5], %rs1; ld.local.s8 %r9, [%rd5];",
            0x80,
            0,
            0xffff_ff80,
        ),
        (
            "st.local.v2.u32 [depot+8], {%r1, %r2}; ld.local.u64 %rd9, [depot+8];",
            1,
            2,
            0x2_0000_0001,
        ),
        (
            "mov.u64 %rd5, depot; cvta.local.u64 %rd6, %rd5; st.u64 [%rd6], %rd1; cvta.to.local.u64 %rd7, %rd6; ld.local.u64 %rd9, [%rd7];",
            77,
            0,
            77,
        ),
        (
            "st.shared.u32 [stage+4], %r1; atom.shared.add.u32 %r5, [stage+4], 3; ld.shared.u32 %r9, [stage+4];",
            5,
            0,
            8,
        ),
        (
            "atom.global.cas.b32 %r9, [%rd8], 0x04030201, 9;",
            0,
            0,
            0x0403_0201,
        ),
        (
            "atom.global.cas.b32 %r5, [%rd8], 0x04030201, 9; ld.global.u32 %r9, [%rd8];",
            0,
            0,
            9,
        ),
        (
            "atom.global.cas.b32 %r5, [%rd8], 5, 9; ld.global.u32 %r9, [%rd8];",
            0,
            0,
            0x0403_0201,
        ),
        (
            "red.global.or.b64 [%rd8+8], 0xf0; ld.global.u8 %r9, [%rd8+8];",
            0,
            0,
            0xf9,
        ),
        (
            "atom.global.min.s32 %r5, [%rd8], -1; ld.global.u32 %r9, [%rd8];",
            0,
            0,
            0xffff_ffff,
        ),
        (
            "atom.global.min.u32 %r5, [%rd8], -1; ld.global.u32 %r9, [%rd8];",
            0,
            0,
            0x0403_0201,
        ),
        (
            "atom.global.exch.b32 %r5, [%rd8], 1; atom.global.inc.u32 %r6, [%rd8], 1; ld.global.u32 %r9, [%rd8];",
            0,
            0,
            0,
        ),
        (
            "{ .param .b32 p; .param .b32 q; st.param.b32 [p+0], %r1; call.uni (q), twice, (p); ld.param.b32 %r9, [q+0]; }",
            21,
            0,
            42,
        ),
    ]);
}

#[test]
fn control() {
    check(&[
        (
            "$L1: add.s32 %r9, %r9, 2; sub.s32 %r1, %r1, 1; setp.ne.s32 %p3, %r1, 0; @%p3 bra $L1;",
            5,
            0,
            10,
        ),
        (
            "bra.uni $L2; mov.u32 %r9, 1; $L2: add.s32 %r9, %r9, 4;",
            0,
            0,
            4,
        ),
        (
            "ts: .branchtargets $A, $B; brx.idx %r1, ts; $A: mov.u32 %r9, 1; bra $C; $B: mov.u32 %r9, 2; $C:",
            1,
            0,
            2,
        ),
    ]);
}
