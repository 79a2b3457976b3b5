import {writeFile} from 'node:fs/promises'
import {userInfo} from 'node:os'
import {join} from 'node:path'
import {findProgram} from '../src/host/host.js'
import {capture} from '../src/host/process.js'
import {type Bench, type Invocation, InvocationFailedError, runAsUser} from './invocation.js'
import type {Absence} from './measure.js'
import type {Podman} from './podman.js'

/** A running distrobox of podman's image. */
export type Distrobox = {
  /** One invocation, to be timed. */
  enter(...command: string[]): Invocation
  /** Ends and removes its container. */
  close(): Promise<void>
}

const NAME = 'distrobox enter'
const CONTAINER = 'envs-bench-distrobox'

/**
 * Replaces programs that its first entry would install for minutes and that no entry uses; downloads the
 * others if the rootfs lacks them. The timed part is the same: an inspection of the container and one program
 * in it.
 */
const PREPARE = `set -e
if ! command -v mount || ! command -v useradd; then
  apt-get update
  apt-get install --yes --no-install-recommends mount passwd
fi
for program in bc bzip2 curl diff find gpg hostname less lsof man pigz pinentry ping ps rsync script ssh sudo time tree unzip \\
  wget xauth zip; do
  command -v $program || ln -s true /usr/bin/$program
done
`

/**
 * Makes one of podman's image, and enters it once.
 *
 * @returns The reason, if that does not work.
 */
export async function openDistrobox(podman: Podman | Absence, bench: Bench): Promise<Distrobox | Absence> {
  if (findProgram('distrobox', bench.environment['PATH'] ?? '') === undefined)
    return {name: NAME, reason: 'distrobox is not installed'}
  if ('reason' in podman) return {name: NAME, reason: 'podman does not work here'}
  const variables = {
    ...podman.variables,
    DBX_CONTAINER_MANAGER: 'podman',
    SHELL: '/bin/bash',
    USER: await userName(bench),
  }
  const told = {...bench, environment: {...bench.environment, ...variables}}
  const prepare = join(bench.folder, 'distrobox-prepare.sh')
  const close = async () => {
    const argv = ['podman', 'rm', '--force', '--ignore', '--time', '0', CONTAINER]
    await capture(argv, {cwd: bench.folder, env: told.environment, ...bench.user})
  }
  const enter = (...command: string[]) => ({
    argv: ['distrobox', 'enter', '--no-tty', '--name', CONTAINER, '--', ...command],
    variables,
  })
  try {
    await writeFile(prepare, PREPARE)
    // The folder is its home, which it shares with the host: the script is there too.
    const wanted = ['--image', podman.image, '--name', CONTAINER, '--pre-init-hooks', `sh ${prepare}`]
    await runAsUser(['distrobox', 'create', '--yes', '--no-entry', ...wanted], told)
    await runAsUser(enter('true').argv, told)
    return {enter, close}
  } catch (error) {
    const log = await capture(['podman', 'logs', CONTAINER], {env: told.environment, ...bench.user})
    await close()
    if (!(error instanceof InvocationFailedError)) throw error
    return {name: NAME, reason: reasonFor(error, log.stdout)}
  }
}

/** APT's messages in the container say more than the status of the container. */
function reasonFor(error: InvocationFailedError, log: string): string {
  const complaint = log.split('\n').find((line) => line.startsWith('E: '))
  if (complaint !== undefined)
    return `its first entry could not install mount and passwd: ${complaint.slice(3)}`
  return error.message.trimEnd().split('\n').at(-1) ?? error.message
}

async function userName({user, environment}: Bench): Promise<string> {
  if (user === undefined) return userInfo().username
  return (await capture(['id', '--name', '--user', String(user.uid)], {env: environment})).stdout.trim()
}
