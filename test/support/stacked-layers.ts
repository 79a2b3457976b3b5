import assert from 'node:assert/strict'
import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {openHost} from '../../src/host/host.js'
import {capture} from '../../src/host/process.js'
import {readLayerMarks} from '../../src/rootfs/diff/layer-marks.js'
import type {Layer} from '../../src/rootfs/diff/merged.js'
import {treeFolder} from './extraction.js'
import {canSimulate} from './simulated-host.js'

/** Why this host has no overlays for its users, or false. */
export const noOverlays: string | false =
  process.getuid?.() === 0
    ? "the host's root has no layers: docs/decisions/0015-layers.md"
    : (await canSimulate())
      ? false
      : 'no user namespace to mount in'

type TestBody = (t: TestContext) => Promise<void> | void

/** A test of what only environments of layers can do: skipped with the reason where there are none. */
export function layeredTest(
  title: string,
  ...rest: [TestBody] | [{readonly skip: string | false}, TestBody]
): void {
  const [options, body] = rest.length === 2 ? rest : [{skip: false}, rest[0]]
  void test(title, {skip: noOverlays || options.skip}, body)
}

/** Layers that the kernel's overlayfs has made, each by a script that ran in the tree of all below it. */
export type StackedLayers = {
  /** The folder around them. */
  readonly outside: string
  /** Their folders, the lowest first. */
  readonly folders: readonly string[]
  /** The same, with what their attributes say. */
  readonly layers: readonly Layer[]
}

/** The first script runs in a plain folder, which is the lowest layer. */
export async function stackLayers(t: TestContext, ...scripts: readonly string[]): Promise<StackedLayers> {
  const outside = await treeFolder(t)
  const folders: string[] = []
  for (const [index, script] of scripts.entries()) {
    const [folder, work, merged] = ['layer', 'work', 'merged'].map((name) => join(outside, `${name}${index}`))
    if (folder === undefined || work === undefined || merged === undefined) throw new Error('no folders')
    for (const each of [folder, work, merged]) await mkdir(each)
    const lower = [...folders].reverse().join(':')
    const mount = `mount -t overlay -o lowerdir=${lower},upperdir=${folder},workdir=${work},userxattr overlay ${merged}; cd ${merged}`
    const argv = ['unshare', '--map-root-user', '--mount', '--', 'sh', '-ec']
    const made = await capture([...argv, `${index === 0 ? `cd ${folder}` : mount}\n${script}`])
    assert.equal(made.status, 0, made.stderr)
    folders.push(folder)
  }
  const marks = await readLayerMarks(folders, openHost())
  const layers = folders.map((folder, index) => {
    const each = marks[index]
    assert.ok(each)
    return {folder, marks: each}
  })
  return {outside, folders, layers}
}
