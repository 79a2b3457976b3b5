import assert from 'node:assert/strict'
import {
  chmod,
  link,
  lstat,
  mkdir,
  readFile,
  readlink,
  rename,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {openHost} from '../../../src/host/host.js'
import {systemCalls} from '../../../src/host/machine/arch.js'
import {capture} from '../../../src/host/process.js'
import {type CopyPlan, copyTree} from '../../../src/rootfs/copy.js'
import {removeTree, type TreeProcess} from '../../../src/rootfs/worker/api.js'
import {copyGuard, rootProcess} from '../../../src/store/tools.js'
import {IDENTITIES} from '../../support/guest.js'
import {olderKernel} from '../../support/older-kernel.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const host = openHost()
const guard = copyGuard(host)
const signal = new AbortController().signal

/**
 * What cp(1) does to a folder that becomes a link after it was looked at: opens what is in it by path. The exchange is made
 * by the program itself, so that it comes at the worst moment each time.
 */
const SWAP_AND_WALK = `#!/bin/sh
for last; do from=$to; to=$last; done
mv "$from/folder" "$from/aside" && mv "$from/link" "$from/folder" && cat "$from/folder/file" >"$to"
`

type Given = {
  readonly process: TreeProcess
  readonly outside: string
  readonly plan: Omit<CopyPlan, 'guard'>
}

/** A tree in a store, and beside the store a folder of the host's with a file of the same name. */
async function given(t: TestContext, process: TreeProcess): Promise<Given> {
  const folder = await temporaryFolder(t)
  const [outside, from, to] = [
    join(folder, 'outside'),
    join(folder, 'store/a/tree'),
    join(folder, 'store/b/tree'),
  ]
  for (const each of [outside, join(from, 'folder'), join(to, '..')]) await mkdir(each, {recursive: true})
  await writeFile(join(outside, 'file'), 'secret')
  await writeFile(join(from, 'folder/file'), 'own')
  await symlink(outside, join(from, 'link'))
  t.after(async () => void (await removeTree(process, to)))
  return {process, outside, plan: {cp: 'cp', from, to, keepOwners: true}}
}

async function swapping(t: TestContext): Promise<string> {
  const path = join(await temporaryFolder(t), 'swap')
  await writeFile(path, SWAP_AND_WALK)
  await chmod(path, 0o755)
  return path
}

for (const {identity, skip} of IDENTITIES) {
  const prepare = async (t: TestContext) => given(t, await rootProcess(host, identity))

  test(`${identity}: without a guard a folder that becomes a link leads the copy out of the tree`, {
    skip,
  }, async (t) => {
    const {process, plan} = await prepare(t)
    await copyTree(process, {...plan, cp: await swapping(t)}, {signal})
    assert.equal(await readFile(plan.to, 'utf8'), 'secret')
  })

  test(`${identity}: a folder that becomes a link while it is copied leads nowhere`, {skip}, async (t) => {
    const {process, plan} = await prepare(t)
    await assert.rejects(copyTree(process, {...plan, cp: await swapping(t), guard}, {signal}), {
      code: 'ENVS_COPY_FAILED',
    })
    assert.equal(await readFile(plan.to, 'utf8'), '')
  })

  test(`${identity}: so does one in a file system of its own`, {skip}, async (t) => {
    const {process, plan, outside} = await prepare(t)
    const cp = await swapping(t)
    const mounted = `mount -t tmpfs envs "$0" && mkdir "$0/folder" && ln -s "$1" "$0/link" && shift && exec "$@"`
    const inMemory = ['unshare', '--mount', '--', 'sh', '-c', mounted, plan.from, outside]
    const behind = {...process, prefix: [...process.prefix, ...inMemory]}
    await assert.rejects(copyTree(behind, {...plan, cp, guard}, {signal}), {code: 'ENVS_COPY_FAILED'})
    assert.equal(await readFile(plan.to, 'utf8'), '')
  })

  test(`${identity}: a guarded copy is as faithful as one without`, {skip}, async (t) => {
    const {process, plan, outside} = await prepare(t)
    await link(join(plan.from, 'folder/file'), join(plan.from, 'second'))
    await symlink('nowhere', join(plan.from, 'dangling'))
    await capture(['mkfifo', join(plan.from, 'pipe')])
    await capture(['truncate', '-s', '64M', join(plan.from, 'sparse')])
    await chmod(join(plan.from, 'folder'), 0o1711)
    await copyTree(process, {...plan, guard}, {signal})
    const copied = (path: string) => join(plan.to, path)
    assert.equal(await readlink(copied('link')), outside)
    assert.equal(await readlink(copied('dangling')), 'nowhere')
    assert.equal((await stat(copied('second'))).nlink, 2)
    assert.equal((await lstat(copied('folder'))).mode & 0o7777, 0o1711)
    assert.ok((await lstat(copied('pipe'))).isFIFO())
    const {size, blocks} = await lstat(copied('sparse'))
    assert.deepEqual([size, blocks < 1000], [64 * 2 ** 20, true])
  })

  test(`${identity}: a store that is reached by a link is copied from`, {skip}, async (t) => {
    const {process, plan} = await prepare(t)
    const store = join(plan.from, '../..')
    await rename(store, `${store}-elsewhere`)
    await symlink(`${store}-elsewhere`, store)
    await copyTree(process, {...plan, guard}, {signal})
    assert.equal(await readFile(join(plan.to, 'folder/file'), 'utf8'), 'own')
  })

  test(`${identity}: nothing is copied where no mount without links can be made`, {skip}, async (t) => {
    const {mount} = systemCalls(host.architecture)
    const kernel = await olderKernel(t, {without: mount})
    if (kernel === undefined) return t.skip('nothing to load a filter by')
    const {process, plan} = await prepare(t)
    const behind = {...process, prefix: [...process.prefix, ...kernel]}
    await assert.rejects(copyTree(behind, {...plan, guard}, {signal}), {
      code: 'ENVS_COPY_UNGUARDED',
    })
    await assert.rejects(lstat(plan.to), {code: 'ENOENT'})
  })
}
