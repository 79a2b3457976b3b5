/** By bit. @see linux/capability.h, and capabilities(7) for what each allows */
const NAMES = [
  ...['chown', 'dac_override', 'dac_read_search', 'fowner', 'fsetid', 'kill', 'setgid', 'setuid', 'setpcap'],
  ...[
    'linux_immutable',
    'net_bind_service',
    'net_broadcast',
    'net_admin',
    'net_raw',
    'ipc_lock',
    'ipc_owner',
  ],
  ...[
    'sys_module',
    'sys_rawio',
    'sys_chroot',
    'sys_ptrace',
    'sys_pacct',
    'sys_admin',
    'sys_boot',
    'sys_nice',
  ],
  ...[
    'sys_resource',
    'sys_time',
    'sys_tty_config',
    'mknod',
    'lease',
    'audit_write',
    'audit_control',
    'setfcap',
  ],
  ...['mac_override', 'mac_admin', 'syslog', 'wake_alarm', 'block_suspend', 'audit_read', 'perfmon', 'bpf'],
  'checkpoint_restore',
]

/**
 * Returns the capabilities that a value of `security.capability` permits: `cap_net_raw`, …
 *
 * @param base64 - As in a journal; a malformed value permits none.
 */
export function capabilityNames(base64: string): string[] {
  const value = Buffer.from(base64, 'base64')
  if (value.length < 20) return []
  // Two pairs of words, permitted and inheritable, after the revision; little-endian on every processor.
  const permitted = BigInt(value.readUInt32LE(4)) | (BigInt(value.readUInt32LE(12)) << 32n)
  return NAMES.filter((_, bit) => (permitted & (1n << BigInt(bit))) !== 0n).map((name) => `cap_${name}`)
}
