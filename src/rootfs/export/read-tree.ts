import {toolKilledError} from '../../compression/errors.js'
import {type Exit, ended, start} from '../../host/process.js'
import {treeUnreadableError} from '../errors.js'

/**
 * Mount point of the resolver's settings and the shared packages: it belongs to envs, and is empty without
 * them.
 */
const OWN_MOUNT_POINT = './run/envs'

/**
 * Returns GNU tar's archive of a tree that is not in use. tar follows no link, and reads holes and
 * capabilities, for which Node has no calls. Leaves out sockets.
 *
 * @param options.tar - Absolute path of tar(1), GNU's 1.28 or later.
 * @param options.leftOut - Files of the tree that the archive does not get; byte strings (latin1).
 * @throws {@link treeUnreadableError} From the iteration, as the next: also when something changed the tree meanwhile.
 * @throws {@link toolKilledError}
 */
export async function* readTree(
  root: string,
  {tar, leftOut}: {tar: string; leftOut: readonly string[]},
): AsyncGenerator<Buffer> {
  const excludes = leftOut.map((path) => `--exclude=./${Buffer.from(path, 'latin1')}`)
  const child = start([tar, ...OPTIONS, ...excludes, `--directory=${root}`, '.'], {
    // Only in this locale does tar pass names on byte by byte.
    env: {LC_ALL: 'C'},
    // Its messages go to the standard error of this program, which stays open until tar ends.
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exit = ended(child)
  // Awaited below; a failure until then must not count as unhandled.
  exit.catch(() => {})
  try {
    yield* (child.stdout ?? []) as AsyncIterable<Buffer>
    checkEnd(await exit, root)
  } finally {
    child.kill('SIGKILL')
  }
}

const OPTIONS = [
  ...['--create', '--file=-', '--format=posix', '--pax-option=delete=atime,delete=ctime'],
  ...['--numeric-owner', '--xattrs', '--xattrs-include=security.capability'],
  ...['--one-file-system', '--sort=name', '--sparse'],
  ...['--anchored', '--no-wildcards', `--exclude=${OWN_MOUNT_POINT}`],
]

function checkEnd({status, signal}: Exit, root: string): void {
  if (signal !== null) throw toolKilledError({program: 'tar', signal})
  if (status !== 0)
    throw treeUnreadableError({root}, {cause: new Error(`tar(1) ended with status ${status}`)})
}
