/** What an archive may ask for. Each bound lies far above any real rootfs and far below what hurts. */
export type Limits = {
  /** Headers of every kind; a full desktop has about 400,000 members. */
  readonly members: number
  /** PATH_MAX, linux/limits.h: no system call takes a longer one. */
  readonly pathBytes: number
  /** NAME_MAX, linux/limits.h. */
  readonly componentBytes: number
  /** A long-name, pax or sparse-map header is held in memory whole; real ones stay under 10 KiB. */
  readonly headerBytes: number
  /** Apparent size of one file: holes take no space, but lastlog of large uids is the largest real one. */
  readonly fileBytes: number
  /** Zeros after the end marker: tar pads to its record, at most some MiB. */
  readonly paddingBytes: number
  /** Components that are walked on the way to members and through links: so many at all, and so many more a member. */
  readonly pathSteps: number
  /** A real member lies below six folders, of which one in ten is new; the deepest node_modules have thirty. */
  readonly memberSteps: number
  /** Contents of all members together; by default what the file system has free. */
  readonly totalBytes?: number
}

const MIB = 2 ** 20

export const DEFAULT_LIMITS: Limits = {
  members: 2_000_000,
  pathBytes: 4096,
  componentBytes: 255,
  headerBytes: MIB,
  fileBytes: 2 ** 40,
  paddingBytes: 64 * MIB,
  pathSteps: 4 * MIB,
  memberSteps: 32,
}
