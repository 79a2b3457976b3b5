import {createHash} from 'node:crypto'
import {existsSync} from 'node:fs'
import {copyFile, mkdir, rename, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
// @ts-expect-error A plain script, which standalone.mjs uses too.
import {NODE_VERSION, packNode, packPackage} from '../scripts/node-package.mjs'
import {packageRoot} from '../src/host/paths.js'
import {makeDeb} from '../test/support/deb-file.js'
import {guestFile} from './guest-file.js'
import {runProgram} from './invocation.js'

/** An official build runs on systems older than this one. */
export const NODE_RELEASE: string = NODE_VERSION

/** Returns the path of an official Node.js; fetched unless the cache has it. */
export async function nodeProgram(cache: string, signal: AbortSignal): Promise<string> {
  const program = join(cache, `node-${NODE_RELEASE}`)
  if (existsSync(program)) return program
  const stage = join(cache, `.partial-node-${process.pid}`)
  await mkdir(stage, {recursive: true})
  try {
    const archive: string = packNode(stage)
    await runProgram(['tar', '-xzf', archive, '-C', stage, 'package/bin/node'], {signal})
    await rename(join(stage, 'package/bin/node'), program)
    return program
  } finally {
    await rm(stage, {recursive: true, force: true})
  }
}

/** The content of the second disk besides the programs of hosts/guest. */
export type DiskContent = {
  /** A root file system that environments are created from; undefined where no trial creates one. */
  readonly rootfs: string
  /** Variables of hosts/guest/main, by name. */
  readonly settings: Readonly<Record<string, string>>
  readonly plan: readonly string[]
  /** Path of a script to run instead. */
  readonly script?: string | undefined
}

const GUEST_FILES = ['main', 'scenes', 'trial', 'steps', 'serve.cjs']

/** Makes the second disk, a bare tar, in a folder. @returns Its path. */
export async function makeDisk(folder: string, content: DiskContent, signal: AbortSignal): Promise<string> {
  const tree = join(folder, 'hosts')
  await mkdir(join(tree, 'packages'), {recursive: true})
  for (const name of GUEST_FILES) await copyFile(guestFile(name), join(tree, name))
  const packed: string = packPackage([], {cwd: packageRoot(), folder})
  await rename(packed, join(tree, 'envs.tgz'))
  await copyFile(content.rootfs, join(tree, 'image.tar.gz'))
  await writeFile(join(tree, 'plan'), content.plan.map((line) => `${line}\n`).join(''))
  await writeFile(join(tree, 'settings'), Object.entries(content.settings).map(assignment).join(''))
  if (content.script !== undefined) await copyFile(content.script, join(tree, 'script'))
  for (const [name, data] of packageRepository()) await writeFile(join(tree, 'packages', name), data)
  const disk = join(folder, 'disk.tar')
  const owned = ['--owner=0', '--group=0', '--numeric-owner', '--mode=u=rwX,go=rX']
  await runProgram(['tar', ...owned, '-C', folder, '-cf', disk, 'hosts'], {signal})
  return disk
}

function assignment([name, value]: [string, string]): string {
  return `${name}='${value.replaceAll("'", "'\\''")}'\n`
}

/** A flat repository with one package, whose program says its name. @see sources.list(5), "exact path" */
function packageRepository(): [string, Buffer][] {
  const control =
    'Package: envs-trial\nVersion: 1\nArchitecture: all\nMaintainer: envs\nDescription: a trial\n'
  const deb = makeDeb({control, files: {'usr/bin/envs-trial': '#!/bin/sh\necho envs-trial\n'}})
  const sha256 = createHash('sha256').update(deb).digest('hex')
  const index = `${control}Filename: ./envs-trial.deb\nSize: ${deb.length}\nSHA256: ${sha256}\n\n`
  return [
    ['envs-trial.deb', deb],
    ['Packages', Buffer.from(index)],
  ]
}
