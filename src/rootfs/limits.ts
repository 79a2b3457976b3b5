/** Limits of an archive that is read, and of one that `envs export` writes. Each is far above any real rootfs, and far below a harmful value. */
export type Limits = {
  /** Headers of every kind; a full desktop has about 400,000 members. */
  readonly members: number
  /** PATH_MAX (linux/limits.h), which no system call exceeds, without the folder of the tree in front. */
  readonly pathBytes: number
  /** PATH_MAX, with the byte that ends the text. */
  readonly targetBytes: number
  /** NAME_MAX, linux/limits.h. */
  readonly componentBytes: number
  /** A long-name, pax or sparse-map header is held in memory whole; real ones stay under 10 KiB. */
  readonly headerBytes: number
  /** Apparent size of one file: holes take no space, but lastlog of large uids is the largest real one. */
  readonly fileBytes: number
  /** Zeros after the end marker: tar pads to its record, at most some MiB. */
  readonly paddingBytes: number
  /**
   * Components walked on the way to members and through links: a fixed number, plus `memberSteps` for each
   * member.
   */
  readonly pathSteps: number
  /** A real member is six folders deep, of which one in ten is new; the deepest node_modules have thirty. */
  readonly memberSteps: number
  /** Size of all members; by default the free space of the file system. */
  readonly totalBytes?: number
}

const MIB = 2 ** 20

export const DEFAULT_LIMITS: Limits = {
  members: 2_000_000,
  pathBytes: 3840,
  targetBytes: 4096,
  componentBytes: 255,
  headerBytes: MIB,
  fileBytes: 2 ** 40,
  paddingBytes: 64 * MIB,
  pathSteps: 4 * MIB,
  memberSteps: 32,
}
