import {exportRefusedError} from '../errors.js'
import type {Limits} from '../limits.js'
import type {Member} from '../tar/member.js'
import {memberPath, PathRefusal} from '../tree/paths.js'

/** The limits that the reader of the new archive will apply. */
export type ExportBounds = {
  /**
   * Checks a member before it is written.
   *
   * @param headers - Number of the headers before it.
   * @throws {@link exportRefusedError}
   */
  check(member: Member, headers: number): void
}

/** The header of a member, and one before it with long names and large numbers. */
const MOST_HEADERS_OF_MEMBER = 2
/** Longer names are cut in messages. */
const SHOWN_BYTES = 80

/** Opens the limits of `envs import`, for the members of one archive. */
export function openExportBounds(limits: Limits): ExportBounds {
  let entries = 0
  let steps = 0

  function reasonAgainst(member: Member, headers: number): string | undefined {
    if (headers + MOST_HEADERS_OF_MEMBER > limits.members)
      return `it is one file more than the ${limits.members} headers that a tarball may have`
    entries++
    steps += depthOf(memberPath(member.name, limits))
    if (member.kind === 'hardlink') steps += depthOf(memberPath(member.target, limits))
    // As the reader counts them: a folder is a member before the files in it, so each path is looked up once.
    if (steps > limits.pathSteps + limits.memberSteps * entries)
      return 'the folders on the way to the files are too many'
    if (member.kind === 'file' && member.sizeBytes > limits.fileBytes)
      return `it has ${member.sizeBytes} bytes`
    if (member.kind === 'symlink' && member.target.length >= limits.targetBytes)
      return 'its link target is too long'
    return undefined
  }

  return {
    check(member, headers) {
      const reason = reasonOf(() => reasonAgainst(member, headers))
      if (reason !== undefined) throw exportRefusedError({path: shownName(member.name), reason})
    },
  }
}

function reasonOf(find: () => string | undefined): string | undefined {
  try {
    return find()
  } catch (error) {
    if (!(error instanceof PathRefusal)) throw error
    return error.reason
  }
}

/** Returns the number of components. */
function depthOf(path: string): number {
  return path.split('/').length
}

/** Returns the name of a member for a message, cut when it is long. */
export function shownName(name: string): string {
  const path = Buffer.from(name.replace(/^\.\//, '/').slice(0, SHOWN_BYTES), 'latin1').toString('utf8')
  return name.length > SHOWN_BYTES ? `${path}…` : path
}
