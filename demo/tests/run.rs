//! The first command of the README does what the README says.

use std::process::Command;

#[test]
fn each_line_of_four_processes_is_in_the_file_of_its_day() {
    let directory = tempfile::tempdir().unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_demo")).arg(directory.path()).output().unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{told}{}", String::from_utf8_lossy(&run.stderr));
    for day in 21..=24 {
        assert!(directory.path().join(format!("app.2026-11-{day}.log")).exists(), "{told}");
    }
    assert!(told.contains("0 lost, 0 torn or doubled, 0 in the wrong file"), "{told}");
}
