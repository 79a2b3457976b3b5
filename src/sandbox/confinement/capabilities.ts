/** The capabilities of the kernel in the order of their numbers. @see capabilities(7), linux/capability.h */
export const CAPABILITIES = [
  ...(['chown', 'dac_override', 'dac_read_search', 'fowner', 'fsetid', 'kill', 'setgid', 'setuid'] as const),
  ...(['setpcap', 'linux_immutable', 'net_bind_service', 'net_broadcast', 'net_admin', 'net_raw'] as const),
  ...(['ipc_lock', 'ipc_owner', 'sys_module', 'sys_rawio', 'sys_chroot', 'sys_ptrace', 'sys_pacct'] as const),
  ...(['sys_admin', 'sys_boot', 'sys_nice', 'sys_resource', 'sys_time', 'sys_tty_config', 'mknod'] as const),
  ...(['lease', 'audit_write', 'audit_control', 'setfcap', 'mac_override', 'mac_admin', 'syslog'] as const),
  ...(['wake_alarm', 'block_suspend', 'audit_read', 'perfmon', 'bpf', 'checkpoint_restore'] as const),
] as const

export type Capability = (typeof CAPABILITIES)[number]

/** Returns the capability of a name in any case, with or without `CAP_`; undefined for another word. */
export function parseCapability(text: string): Capability | undefined {
  const name = text.toLowerCase().replace(/^cap_/, '')
  return CAPABILITIES.find((known) => known === name)
}

/** Returns the numbers of capabilities, in ascending order. */
export function capabilityNumbers(capabilities: readonly Capability[]): number[] {
  return CAPABILITIES.flatMap((capability, number) => (capabilities.includes(capability) ? [number] : []))
}

/** Returns the capabilities of a mask in hexadecimal, as /proc/PID/status has it. */
export function capabilitiesOfMask(mask: string): Capability[] {
  const bits = BigInt(`0x${mask}`)
  return CAPABILITIES.filter((_, number) => ((bits >> BigInt(number)) & 1n) === 1n)
}
