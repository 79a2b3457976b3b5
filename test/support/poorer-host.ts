import assert from 'node:assert/strict'
import {once} from 'node:events'
import {pipeOf, start, started} from '../../src/host/process.js'
import type {Identity} from '../../src/sandbox/identity.js'
import type {Scope} from './cli.js'
import {hide} from './simulated-host.js'

/** Root of a namespace with ids to give away, some of which /etc/subuid there grants it. */
const GRANT_IDS = [
  'mount -t tmpfs tmpfs /dev/shm',
  'echo root:1:60000 >/dev/shm/ranges',
  'mount --bind /dev/shm/ranges /etc/subuid',
  'mount --bind /dev/shm/ranges /etc/subgid',
].join('\n')

const STAY = 'echo ready; read -r _'

/**
 * A host that really lacks some programs, for as long as the scope lasts.
 *
 * For `mapped` the caller is root there, for a setuid newuidmap has no power in a namespace; for `emulated` itself.
 *
 * @returns Words before a program that is to run on it; it keeps its process id.
 */
export async function poorerHost(
  scope: Scope,
  {
    without,
    identity,
    prepare = '',
  }: {
    without: readonly string[]
    identity: Identity
    /** Shell commands that change its mounts further. */
    prepare?: string
  },
): Promise<readonly string[]> {
  const [uid, gid] = [process.getuid?.(), process.getgid?.()]
  const isMapped = identity === 'mapped'
  const inside = isMapped
    ? `${GRANT_IDS}\n${STAY}`
    : `exec unshare --user --map-user=${uid} --map-group=${gid} -- sh -c '${STAY}'`
  const holder = start(
    [
      ...['unshare', ...(isMapped ? ['--map-auto'] : []), '--map-root-user', '--mount', '--'],
      ...['sh', '-ec', `${hide(...without)}\n${prepare}\n${inside}`],
    ],
    {stdio: ['pipe', 'pipe', 'inherit']},
  )
  await started(holder)
  scope.after(async () => {
    pipeOf(holder, 0).end()
    await once(holder, 'exit')
  })
  const [first] = await Promise.race([once(pipeOf(holder, 1), 'data'), once(holder, 'exit')])
  assert.equal(String(first), 'ready\n', 'the poorer host did not come up')
  return ['nsenter', '--target', String(holder.pid), '--user', '--mount', '--preserve-credentials', '--']
}
