//! What the interpreter must not let pass: accesses out of bounds, text that it does not know, threads that do not wait
//! for each other.

use super::{
    kernels::{Kernels, bytes_of},
    machine::Argument,
    memory::Trouble,
    semantics::{kernel, run},
};

#[test]
fn faults_are_seen() {
    let trouble = |body: &str| run(body, 0, 0).unwrap_err();
    let outside = |body: &str| {
        let trouble = trouble(body);
        assert!(
            matches!(trouble, Trouble::Outside { .. }),
            "{body}: {trouble}"
        );
    };
    outside("ld.global.u8 %rs9, [%rd8+64];");
    outside("ld.global.u8 %rs9, [%rd8+-1];");
    outside("ld.global.u8 %rs9, [%rd1];");
    outside("st.global.u64 [%rd8+64], %rd1;");
    outside("st.local.u8 [depot+64], %rs1;");
    outside("ld.shared.u32 %r9, [stage+64];");
    outside("ld.const.u32 %r9, [TABLE+12];");
    // An address of one space in another.
    outside("mov.u64 %rd5, depot; ld.shared.u32 %r9, [%rd5];");
    outside("mov.u64 %rd5, depot; cvta.local.u64 %rd5, %rd5; ld.local.u32 %r9, [%rd5];");
    for body in [
        "ld.global.u32 %r9, [%rd8+2];",
        "ld.global.v2.u32 {%r5, %r9}, [%rd8+4];",
        "atom.global.or.b64 %rd9, [%rd8+4], 1;",
    ] {
        assert!(
            matches!(trouble(body), Trouble::Misaligned { .. }),
            "{body}"
        );
    }
    let uninitialised = trouble("st.local.u8 [depot], %rs1; ld.local.u16 %rs9, [depot];");
    assert!(matches!(uninitialised, Trouble::Uninitialised { .. }));
    let changed = trouble("ld.global.nc.u32 %r9, [%rd8]; st.global.u32 [%rd8+32], %r1;");
    assert!(matches!(changed, Trouble::ReadAsConstant { .. }));
    assert_eq!(trouble("div.u32 %r9, %r1, %r2;"), Trouble::DivisionByZero);
    assert_eq!(trouble("trap;"), Trouble::Trap);
    assert_eq!(trouble("$L: bra $L;"), Trouble::TooLong);
    let beyond = trouble("ts: .branchtargets $A; add.s32 %r1, %r1, 1; brx.idx %r1, ts; $A:");
    assert_eq!(beyond, Trouble::BranchTable { index: 1 });
}

/// Text that is not understood is refused, with its line.
#[test]
fn what_is_not_known_is_refused() {
    for body in [
        "frobnicate.u32 %r9, %r1;",
        "add.f32 %r9, %r1, %r2;",
        "add.sat.s32 %r9, %r1, %r2;",
        "add.s32 %r9, %r1;",
        "add.s32 %r9, %r1, %rd2;",
        "add.s32 %r9, %r1, 0x1ffffffff;",
        "add.s32 %r99, %r1, %r2;",
        "ld.global.u32 %rs9, [%rd8];",
        "ld.texture.u32 %r9, [%rd8];",
        "mov.u32 %r9, %clock;",
        "bra $NOWHERE;",
        "call.uni twice;",
        "call.uni nobody;",
        ".loc 1 2 3;",
        ".reg .f32 %f<2>;",
        "bar.sync 0, 32;",
        "shf.l.b32 %r9, %r1, %r2, 3;",
        "setp.eq.s32 %r9, %r1, %r2;",
        "@%r1 mov.u32 %r9, 1;",
        "?",
    ] {
        let error = Kernels::of(&kernel(body)).map(|_| ()).unwrap_err();
        let number = error
            .strip_prefix("line ")
            .unwrap_or_else(|| panic!("{error}"));
        let number: usize = number.split(':').next().unwrap().parse().unwrap();
        let text = kernel(body);
        let line = text.lines().nth(number - 1).unwrap();
        assert!(line.contains(body), "{body}: {error}");
    }
    let itself =
        ".version 8.0\n.func f()\n{\ncall.uni f;\nret;\n}\n.entry k()\n{\ncall.uni f;\nret;\n}\n";
    let error = Kernels::of(itself).map(|_| ()).unwrap_err();
    assert!(error.contains("calls itself"), "{error}");
}

/// A barrier keeps what is written before it from what is read after it; without it the order of threads shows.
#[test]
fn threads_wait_for_each_other_at_a_barrier() {
    let text = |barrier: &str| {
        format!(
            ".version 8.0\n.visible .entry turn(.param .u64 out)\n{{\n.reg .b32 %r<9>;\n.reg .b64 %rd<9>;\n\
             .shared .align 4 .b8 stage[256];\nld.param.u64 %rd1, [out];\nmov.u32 %r1, %tid.x;\n\
             mul.wide.u32 %rd2, %r1, 4;\nmov.u64 %rd3, stage;\nadd.s64 %rd4, %rd3, %rd2;\n\
             st.shared.u32 [%rd4], %r1;\n{barrier}\nsub.s64 %rd5, %rd3, %rd2;\n\
             ld.shared.u32 %r2, [%rd5+252];\nadd.s64 %rd6, %rd1, %rd2;\nst.global.u32 [%rd6], %r2;\nret;\n}}\n"
        )
    };
    let run = |barrier: &str| {
        let kernels = Kernels::of(&text(barrier)).unwrap();
        let mut memory = kernels.memory();
        let out = memory.allocate("out", vec![0; 256]);
        let arguments = [Argument::Long(out.address())];
        let launched = kernels
            .machine("turn", 1)
            .launch(&mut memory, 1, 64, &arguments);
        launched.map(|()| memory.buffer(out).bytes.clone())
    };
    let reversed: Vec<u32> = (0..64).rev().collect();
    assert_eq!(run("bar.sync 0;"), Ok(bytes_of(&reversed)));
    assert_ne!(run(""), Ok(bytes_of(&reversed)));
    let apart = ".reg .pred %p1;\nsetp.lt.u32 %p1, %r1, 9;\n@%p1 bra $A;\nbar.sync 0;\nbra $B;\n$A:\nbar.sync 0;\n$B:";
    assert_eq!(run(apart).unwrap_err().trouble, Trouble::Barriers);
}
