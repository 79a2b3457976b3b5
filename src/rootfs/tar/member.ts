/** Where a piece of a file's contents lies in the file; what lies between pieces is a hole. */
export type Segment = {readonly offset: number; readonly sizeBytes: number}

/** A device node's kind and numbers, as mknod(1) takes them. */
export type DeviceNode = {readonly type: 'char' | 'block'; readonly major: number; readonly minor: number}

/** Seconds since 1970 in decimal: negative for earlier, with a fraction where the archive has one. */
export type Timestamp = string

/**
 * One thing an archive holds. Names and link targets are byte strings (latin1, one character a byte):
 * nothing says that they are UTF-8, and only their bytes go to the file system.
 */
export type Member = {
  readonly name: string
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly modified: Timestamp
} & (
  | {
      readonly kind: 'file'
      /** With its holes. */
      readonly sizeBytes: number
      /** Without them: what the disk must hold. */
      readonly storedBytes: number
      /** Where its data lies, of a file with holes; undefined for one without. */
      readonly segments?: readonly Segment[]
      /** The value of `security.capability`, as the archive has it. @see capabilities(7) */
      readonly capability: Buffer | undefined
    }
  | {readonly kind: 'folder'}
  | {readonly kind: 'fifo'}
  | {readonly kind: 'device'; readonly device: DeviceNode}
  | {readonly kind: 'symlink'; readonly target: string}
  | {readonly kind: 'hardlink'; readonly target: string}
)

/** What a reader hands to whoever builds the tree; `data` comes between `begin` and `end` of a file. */
export type MemberSink = {
  begin(member: Member): void
  data(bytes: Buffer, offset: number): void
  end(): void
}
