//! Protects the memory and the environment of the host's process from the programs that it starts.
//!
//! What a program inherits is left to `command/environment`.

/// Makes `/proc/<pid>` of this process unreadable for other processes of the same user, such as the
/// programs of a [`CommandNode`](super::CommandNode). Its environment and memory may have secrets.
///
/// On Linux, the kernel then writes no core dump of the process, and only root can attach a
/// debugger. Other platforms have no such setting, and the call does nothing. Call it once, at the
/// start.
///
/// ```
/// floret::nodes::hide_process()?;
/// # Ok::<_, std::io::Error>(())
/// ```
///
/// # Errors
/// Returns the error of the kernel.
pub fn hide_process() -> std::io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}
