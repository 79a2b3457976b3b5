import assert from 'node:assert/strict'
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {join, resolve} from 'node:path'
import {after} from 'node:test'
import {type Ran, type SandboxedCli, sandboxedCli} from './cli.js'
import {waitUntil} from './wait-until.js'

export type CgroupKind = 'real' | 'make-believe'

/** An environment of Debian trixie with systemd, made of packages from the host's own mirror. */
export type Booted = {
  readonly cli: SandboxedCli
  readonly name: string
  /** `envs run NAME -- sh -c SCRIPT` */
  sh(script: string): Promise<Ran>
  /** What the keeper says of the boot. */
  boot(): Promise<{readonly pid: number; readonly state: string; readonly status?: number}>
  /** Waits for a boot that ended with a status. */
  ended(): Promise<number | undefined>
}

const PACKAGES = 'systemd,systemd-sysv,dbus,libpam-systemd'

/** Made when the first test of a file asks, gone after the last. Call it outside a test. */
export function sharedBoot(kind: CgroupKind, identity: string): () => Promise<Booted> {
  const tidyUps: (() => Promise<void>)[] = []
  let made: Promise<Booted> | undefined
  after(async () => {
    const cli = (await made?.catch(() => undefined))?.cli
    await cli?.run('rm', '--force', 'guest')
    await cli?.run('prune', '--yes', '--older-than', '0')
    for (const tidyUp of tidyUps.reverse()) await tidyUp()
  })
  const make = async (): Promise<Booted> => {
    const scope = {after: (tidyUp: () => Promise<void>) => void tidyUps.push(tidyUp)}
    const cli = await sandboxedCli(scope, [...behind(kind, scope)])
    const words = ['--name', 'guest', '--identity', identity, '--init', 'systemd', '--include', PACKAGES]
    const created = await cli.run('create', 'debian:trixie', ...words, '--quiet')
    assert.equal(created.status, 0, created.stderr)
    const file = join(cli.data, 'environments/guest/run/boot.json')
    const boot = async () => JSON.parse(await readFile(file, 'utf8'))
    return {
      cli,
      name: 'guest',
      sh: (script) => cli.run('run', 'guest', '--', 'sh', '-c', script),
      boot,
      ended: () =>
        waitUntil('the end of the guest', async () => {
          const {state, status} = await boot()
          return state === 'ended' && status
        }),
    }
  }
  return () => {
    made ??= make()
    return made
  }
}

/** Returns why a guest can't have such control groups here; undefined where it can. */
export function whyNoCgroups(kind: CgroupKind): string | undefined {
  const own = ownGroup()
  if (own === undefined) return 'this host has no cgroup2'
  if (kind === 'real')
    return isWritable(own) && isWritable(join(own, 'cgroup.procs'))
      ? undefined
      : 'no control group is delegated to this user'
  if (!isWritable('/dev/fuse')) return 'this user may not open /dev/fuse'
  return isWritable(own) || hasFolder(own) ? undefined : 'the cgroup2 of this host has no folder'
}

/** Words of a shell that puts envs into a group that this user can't write to, where its own is delegated. */
function behind(kind: CgroupKind, scope: {after(tidyUp: () => Promise<void>): void}): string[] {
  const own = ownGroup()
  if (kind === 'real' || own === undefined || !isWritable(own)) return []
  const folder = join(own, `envs-test-${process.pid}`)
  if (!existsSync(folder)) mkdirSync(folder)
  chmodSync(folder, 0o555)
  // Its processes have ended a moment before.
  scope.after(async () => {
    await waitUntil('an empty group', () => readFileSync(join(folder, 'cgroup.procs'), 'utf8') === '')
    rmdirSync(folder)
  })
  return ['/bin/sh', '-c', 'echo 0 >"$0/cgroup.procs" && exec "$@"', folder]
}

/** Returns the folder of this process's group in cgroup2. */
export function ownGroup(): string | undefined {
  const lines = readFileSync('/proc/self/mounts', 'utf8').split('\n')
  const mount = lines.map((line) => line.split(' ')).find(([, , type]) => type === 'cgroup2')?.[1]
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1]
  return mount === undefined || own === undefined ? undefined : resolve(mount, `.${own}`)
}

function hasFolder(path: string): boolean {
  return readdirSync(path, {withFileTypes: true}).some((entry) => entry.isDirectory())
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}
