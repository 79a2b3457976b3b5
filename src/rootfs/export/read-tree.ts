import {toolKilledError} from '../../compression/errors.js'
import {type Exit, ended, start} from '../../host/process.js'
import {treeUnreadableError} from '../errors.js'

/** Where the resolver's settings and the shared packages are mounted: ours, and empty without them. */
const OWN_MOUNT_POINT = './run/envs'

/**
 * The archive that GNU tar makes of a tree at rest: it follows no link, and reads holes and capabilities, which Node has
 * no calls for. Sockets are left out.
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
    // In no other locale are names passed on byte by byte.
    env: {LC_ALL: 'C'},
    // What it says goes where this program's own last words go, and holds that open until it is gone.
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exit = ended(child)
  // Awaited below; until then a failure must not count as unhandled.
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
