import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, mkdirSync} from 'node:fs'
import {join} from 'node:path'
import {capture} from '../../src/host/process.js'
import {ownGroup, whyNoCgroups} from './booted.js'
import type {SandboxedCli} from './cli.js'
import {onRestrictedHost} from './restricted-host.js'
import {canSimulate} from './simulated-host.js'
import {waitUntil} from './wait-until.js'

const MANAGER = '/usr/lib/systemd/systemd'

/** Why no user manager can run here; false where one can. */
export const WHY_NO_MANAGER: string | false = existsSync(MANAGER)
  ? (whyNoCgroups('real') ?? ((await canSimulate()) ? false : 'no user namespaces for the tests'))
  : 'systemd is not installed'

/** A user manager of systemd, the user's own program, as user@.service starts one at a login or at the boot of a host that lingers. */
export type UserManager = {
  /** `systemctl --user …` */
  ask(...argv: string[]): Promise<string>
  /** Ends it as a logout does: it stops all units, and exits. */
  logOut(): Promise<void>
}

/** Units of the host's packages, which may fail here, are not looked at. */
const READY = ['running', 'degraded']

/** It runs only where systemd has booted, so the host says so; it works in a group of its own. */
const BOOTED = 'mount -t tmpfs tmpfs /run; mkdir -p /run/systemd/system'

/** Starts one in the runtime folder of this CLI, and returns when its default target has been reached. */
export async function logIn(cli: SandboxedCli): Promise<UserManager> {
  const group = join(ownGroup() ?? '', `envs-manager-${process.pid}`)
  if (!existsSync(group)) mkdirSync(group)
  const inGroup = ['/bin/sh', '-c', 'echo 0 >"$0/cgroup.procs" && exec "$@"', group]
  const [program = '', ...words] = [...inGroup, ...onRestrictedHost({prepare: BOOTED}), MANAGER, '--user']
  const manager = spawn(program, words, {cwd: cli.home, env: cli.env, stdio: 'ignore'})
  const end = once(manager, 'exit')
  const ask = async (...argv: string[]) => {
    const {stdout} = await capture(['systemctl', '--user', ...argv], {env: cli.env, timeout: 60_000})
    return stdout.trim()
  }
  const logOut = async () => {
    manager.kill('SIGTERM')
    await end
    await capture(['find', group, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';'])
    // It leaves a folder that its owner can't remove without this.
    await capture(['chmod', '-R', 'u+rwx', cli.env['XDG_RUNTIME_DIR'] ?? ''])
  }
  try {
    await waitUntil('the user manager', async () => {
      assert.equal(manager.exitCode, null, 'the user manager has ended')
      return READY.includes(await ask('show', '--property=SystemState', '--value'))
    })
  } catch (error) {
    await logOut()
    throw error
  }
  return {ask, logOut}
}
