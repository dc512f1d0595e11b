//! How much stack an event and a rollover need: measured in threads whose stacks are painted.

use nix::libc;
use std::ffi::c_void;
use std::io::Write;
use tracing_prefork::{Builder, Rotation};

use crate::common::{DAY, Hand, NOW, alone, log};

/// Runs `work` in a thread with a painted stack, and says how many bytes of that it has used.
fn stack_of(work: &mut (dyn FnMut() + Send)) -> usize {
    const SIZE: usize = 512 * 1024;
    const PAINT: u8 = 0xA5;
    extern "C" fn start(work: *mut c_void) -> *mut c_void {
        // SAFETY: what `stack_of` hands over, which waits for this thread.
        let work = unsafe { &mut *work.cast::<&mut (dyn FnMut() + Send)>() };
        work();
        std::ptr::null_mut()
    }
    let mut work = work;
    // SAFETY: a mapping of its own for the thread's stack, looked at when the thread has ended.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        let stack = libc::mmap(std::ptr::null_mut(), SIZE, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        assert_ne!(stack, libc::MAP_FAILED);
        std::ptr::write_bytes(stack.cast::<u8>(), PAINT, SIZE);
        let mut attributes = std::mem::zeroed();
        assert_eq!(libc::pthread_attr_init(&mut attributes), 0);
        assert_eq!(libc::pthread_attr_setstack(&mut attributes, stack, SIZE), 0);
        let mut thread = std::mem::zeroed();
        assert_eq!(libc::pthread_create(&mut thread, &attributes, start, (&raw mut work).cast()), 0);
        assert_eq!(libc::pthread_join(thread, std::ptr::null_mut()), 0);
        let untouched = std::slice::from_raw_parts(stack.cast::<u8>(), SIZE).iter().take_while(|byte| **byte == PAINT);
        let used = SIZE - untouched.count();
        libc::munmap(stack, SIZE);
        used
    }
}

/// The bytes that `work` uses beyond what an empty thread does.
fn bytes_of(mut work: impl FnMut() + Send) -> usize {
    stack_of(&mut work).saturating_sub(stack_of(&mut || {}))
}

type Options = fn(Builder) -> Builder;

/// What an event may take, and what one may take that looks after its file, rolls over or fails. With the
/// `opt-level` of this workspace's tests, 1; without any optimisation it is twice to three times as much.
const EVENT: usize = 3 * 1024;

const ROLLOVER: usize = 8 * 1024;

#[test]
fn an_event_takes_2_kilobytes_of_stack_and_a_rollover_below_8() {
    alone(|directory| {
        let ways: [(&str, Options); 9] = [
            ("plain", |builder| builder),
            ("pruned", |builder| builder.max_log_files(2)),
            ("linked", |builder| builder.latest_symlink("latest").latest_hard_link("hard")),
            ("directories", |builder| builder.date_format("%Y/%m/%d")),
            ("locked", |builder| builder.lock_writes(true)),
            ("headed", |builder| builder.header(|_| "# begins".to_owned())),
            ("with_a_mode", |builder| builder.file_mode(0o640)),
            ("sized", |builder| builder.max_file_bytes(8)),
            ("silent", |builder| builder.on_error(|_| {})),
        ];
        for (name, options) in ways {
            let hand = Hand::at(NOW);
            let logs = options(hand.builder().rotation(Rotation::DAILY)).build(directory.join(name)).expect("builds");
            log(&logs, "what happens once a second");
            let whole = bytes_of(|| (&logs).write_all(b"a line\n").expect("writes"));
            let formatted = bytes_of(|| log(&logs, "a line"));
            hand.set(NOW + 1, 0);
            let look = bytes_of(|| log(&logs, "a line"));
            hand.set(NOW + DAY, 0);
            let rollover = bytes_of(|| log(&logs, "a line"));
            hand.set(NOW + 2 * DAY, 0);
            std::fs::create_dir_all(logs.path()).expect("an obstacle");
            let failed = bytes_of(|| log(&logs, "a line"));
            let used = format!(
                "{name}: {whole} and {formatted} for an event, {look} for a look, {rollover} for a rollover, \
                 {failed} for a failure"
            );
            eprintln!("{used}");
            if name != "sized" {
                assert!(whole.max(formatted) <= EVENT, "{used}");
            }
            assert!(look.max(rollover).max(failed) <= ROLLOVER, "{used}");
        }
    });
}
