import assert from 'node:assert/strict'
import {mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join, relative} from 'node:path'
import {ownGroup} from './booted.js'
import type {Scope} from './cli.js'
import {poorerHost} from './poorer-host.js'
import {temporaryFolder} from './temporary-folder.js'

/** A host with a folder in place of its control groups: envs reads and writes plain files there, and no process moves. */
export type FalseGroups = {
  /** Words before a program that is to run on the host. */
  readonly words: readonly string[]
  /** Writes what the kernel says of the group that this process is in. */
  say(file: string, text: string): void
  /** Returns a file of that group. */
  read(file: string): string
  /** Returns the files of the groups that envs has made below it. */
  made(): Readonly<Record<string, string>>[]
}

/** @param controllers - Those that are delegated to this user; empty for a host without control groups. */
export async function falseGroups(scope: Scope, controllers: string): Promise<FalseGroups> {
  const [mount, own] = groupPlace()
  const top = await temporaryFolder(scope)
  const group = join(top, relative(mount, own))
  mkdirSync(group, {recursive: true})
  const say = (file: string, text: string) => writeFileSync(join(group, file), `${text}\n`)
  if (controllers !== '') {
    for (const file of ['cgroup.procs', 'cgroup.subtree_control']) writeFileSync(join(group, file), '')
    say('cgroup.controllers', controllers)
  }
  const prepare = `mount --bind '${top}' '${mount}'`
  return {
    words: await poorerHost(scope, {without: ['systemd-run'], identity: 'emulated', prepare}),
    say,
    read: (file) => readFileSync(join(group, file), 'utf8'),
    made: () =>
      readdirSync(group)
        .filter((name) => name.startsWith('envs-play-'))
        .map((name) => contentOf(join(group, name))),
  }
}

function contentOf(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  )
}

function groupPlace(): readonly [mount: string, own: string] {
  const lines = readFileSync('/proc/self/mounts', 'utf8').split('\n')
  const mount = lines.map((line) => line.split(' ')).find(([, , type]) => type === 'cgroup2')?.[1]
  const own = ownGroup()
  assert.ok(mount !== undefined && own !== undefined, 'the host of the tests has no cgroup2')
  return [mount, own]
}
