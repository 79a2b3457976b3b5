/** The position of a piece of data in a file; the rest is holes. */
export type Segment = {readonly offset: number; readonly sizeBytes: number}

/** Kind and numbers of a device node, as for mknod(1). */
export type DeviceNode = {readonly type: 'char' | 'block'; readonly major: number; readonly minor: number}

/** Seconds since 1970 in decimal: negative for earlier times, with a fraction if the archive has one. */
export type Timestamp = string

/**
 * An entry of an archive. Names and link targets are byte strings (latin1, one character a byte): they need
 * not be UTF-8, and only their bytes go to the file system.
 */
export type Member = {
  readonly name: string
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly modified: Timestamp
  /** Extended attributes `user.*` of a file or a folder, by name: byte strings (latin1). */
  readonly attributes?: ReadonlyMap<string, Buffer>
} & (
  | {
      readonly kind: 'file'
      /** Including holes. */
      readonly sizeBytes: number
      /** Without holes: the space on disk. */
      readonly storedBytes: number
      /** Positions of the data in a file with holes; undefined for other files. */
      readonly segments?: readonly Segment[]
      /** The value of `security.capability` in the archive. @see capabilities(7) */
      readonly capability: Buffer | undefined
    }
  | {readonly kind: 'folder'}
  | {readonly kind: 'fifo'}
  | {readonly kind: 'device'; readonly device: DeviceNode}
  | {readonly kind: 'symlink'; readonly target: string}
  | {readonly kind: 'hardlink'; readonly target: string}
)

/** Interface between reader and tree; `data` is called between `begin` and `end` of a file. */
export type MemberSink = {
  begin(member: Member): void
  data(bytes: Buffer, offset: number): void
  end(): void
}
