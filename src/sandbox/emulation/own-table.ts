import {capture} from '../../host/process.js'
import {GUEST_PATH} from '../guest-path.js'
import type {Mount} from '../mounts.js'

/** Where the kernel has the table of interpreters, in the guest as on the host. */
export const TABLE_MOUNT_POINT = '/proc/sys/fs/binfmt_misc'

type Tools = {
  readonly unshare: string
  readonly mount: string
  /** An empty folder of the host that the table is mounted on, in a mount namespace of its own. */
  readonly at: string
}

/**
 * Words before a program whose user namespace has a table of interpreters of its own, with one entry. They need the rights of
 * root there, and Linux 6.7. The table goes when nothing has it mounted any more.
 *
 * @param entry - As `registration` words it.
 */
export function tableFirst(entry: string, {unshare, mount, at}: Tools): string[] {
  return [
    ...[unshare, '--mount', '--propagation', 'slave', '--', '/bin/sh', '-c', REGISTER_AND_RUN],
    ...[mount, at, entry],
  ]
}

const REGISTER_AND_RUN =
  '"$0" -t binfmt_misc envs "$1" && printf %s "$2" >"$1/register" && shift 2 && exec "$@"'

/** So that the table stays as long as the guest; its root may not change it, lest its own programs end working. */
export function tableMount(at: string): Mount {
  return {kind: 'bind', from: at, at: TABLE_MOUNT_POINT, access: 'ro'}
}

const TIMEOUT_MS = 10_000

/** Whether such a table can be made here. @param prefix - Words that make a user namespace. */
export async function canHaveTable(
  prefix: readonly string[],
  {entry, ...tools}: Tools & {readonly entry: string},
): Promise<boolean> {
  const {status} = await capture([...prefix, ...tableFirst(entry, tools), '/bin/sh', '-c', ':'], {
    cwd: '/',
    env: {PATH: GUEST_PATH},
    timeout: TIMEOUT_MS,
  })
  return status === 0
}
