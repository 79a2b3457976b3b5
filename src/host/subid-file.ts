/** A block of ids that an account may use inside its user namespaces. */
export type SubidRange = {
  /** A login name, or a user id in decimal. */
  readonly owner: string
  readonly start: number
  readonly count: number
}

/** Ids are 32 bits wide, and the last one stands for "no id". @see user_namespaces(7) */
const ID_LIMIT = 0xffffffff

/** What adduser and useradd hand out first, and how much. @see login.defs(5), SUB_UID_MIN, SUB_UID_COUNT */
const FIRST_START = 100_000
const USUAL_COUNT = 65_536

/**
 * Reads /etc/subuid or /etc/subgid.
 *
 * A line that isn't `owner:start:count` is skipped, as newuidmap(1) and unshare(1) do: the file belongs to
 * the administrator, and a comment or another account's slip must not take this user's range away.
 *
 * @see subuid(5)
 */
export function parseSubidFile(text: string): SubidRange[] {
  return text.split('\n').flatMap((line) => {
    const [owner, start, count, ...rest] = line.split(':')
    if (!owner || start === undefined || count === undefined || rest.length > 0) return []
    if (!/^\d+$/.test(start) || !/^\d+$/.test(count)) return []
    const range = {owner, start: Number(start), count: Number(count)}
    return range.count > 0 && range.start + range.count <= ID_LIMIT ? [range] : []
  })
}

/** The ranges of one account, named by login or by number, in the order of the file. */
export function ownRanges(
  text: string,
  {user, uid}: {readonly user: string | undefined; readonly uid: number},
): SubidRange[] {
  return parseSubidFile(text).filter(({owner}) => owner === user || owner === String(uid))
}

/** Reads what getsubids(1) prints: `INDEX: OWNER START COUNT`, a line a range. */
export function parseGetsubids(text: string): SubidRange[] {
  return parseSubidFile(text.replaceAll(/^\d+: (\S+) (\d+) (\d+)$/gm, '$1:$2:$3'))
}

/** Where a new range of the usual size would overlap none of `taken`. */
export function freeRangeStart(taken: readonly SubidRange[]): number {
  let start = FIRST_START
  for (const range of [...taken].sort((a, b) => a.start - b.start)) {
    if (range.start >= start + USUAL_COUNT) break
    start = Math.max(start, range.start + range.count)
  }
  return start
}

/** The line that gives `owner` a range of the usual size, free in both files. */
export function rangeLine(owner: string, taken: readonly SubidRange[]): string {
  return `${owner}:${freeRangeStart(taken)}:${USUAL_COUNT}`
}
