import assert from 'node:assert/strict'
import {mkdir, mkdtemp} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {openHost} from '../../../src/host/host.js'
import {capture, requirePerl} from '../../../src/host/process.js'
import {namespacePrefix} from '../../../src/sandbox/identity.js'
import {type LayerId, layerFiles, makeUpper, newLayerId} from '../../../src/store/layers.js'
import {layeredMount} from '../../../src/store/overlay-mount.js'
import {mergeLayers, type Run} from '../../../src/store/squash.js'
import {IDENTITIES} from '../../support/guest.js'

const host = openHost()

/** What each layer's writer did, from the bottom upwards: an image, then what a guest changed. */
const IMAGE = `mkdir -p etc usr/lib/keep usr/lib/gone usr/lib/again usr/lib/was-folder var
  echo 1 >etc/changed; echo 2 >etc/removed; echo 3 >etc/back; echo 4 >etc/was-file
  for each in keep gone again was-folder; do echo $each >usr/lib/$each/image; done
  ln -s ../etc/changed usr/link`

const CHANGES = [
  `echo more >>etc/changed; rm etc/removed etc/back; rm -r usr/lib/gone usr/lib/again
  mkdir usr/lib/again; echo new >usr/lib/again/first
  rm etc/was-file; mkdir -m 2775 etc/was-file; echo in >etc/was-file/in
  echo one >var/one; ln var/one var/two; mkfifo var/fifo; mkdir -p var/deep/er; echo d >var/deep/er/file`,
  `echo back >etc/back; mkdir usr/lib/gone; echo recreated >usr/lib/gone/other
  rm -r usr/lib/was-folder; echo file >usr/lib/was-folder; rm usr/link; ln -s /nowhere usr/link
  rm var/deep/er/file; echo two >>usr/lib/again/first; touch "var/$(printf 'odd\\nname\\377')"; chown 7:9 var/one || :`,
  `rm etc/back; rm -r usr/lib/again; mkdir usr/lib/again; chmod 700 var/deep; chown 5:5 var/deep || :
  touch -d '2020-01-02 03:04:05.678901234' var/deep; mkdir var/deep/er/x; echo y >var/deep/er/x/y; : >usr/lib/gone/empty`,
]

/** All that can be seen below a root, times to the nanosecond, and who shares an inode with whom. */
const LISTING = `find . -mindepth 1 -printf '%p %y %m %U:%G %s %T@ %l\\0' | sort -z
  find . -type f -exec sha256sum -z {} + | sort -z; find . -samefile var/one | sort`

for (const {identity, skip} of IDENTITIES) {
  test(`one layer shows what three showed, ${identity}`, {skip}, async (t) => {
    const layers = await layersFolder(t, identity)
    const [base, ...run] = await writeLayers(layers, identity)
    const before = await inStack(layers, {lowers: [base, ...run], script: LISTING, identity})
    const into = await merge(layers, {run, identity})
    const after = await inStack(layers, {lowers: [base, into], script: LISTING, identity})
    assert.equal(after, before)
    assert.match(before, /\.\/usr\/lib\/gone\/other f/)
    assert.doesNotMatch(before, /gone\/image|again\/first|etc\/back/)
  })
}

test('layers above a merged one go on changing what it shows', async (t) => {
  const layers = await layersFolder(t, 'emulated')
  const [base, ...run] = await writeLayers(layers, 'emulated')
  const into = await merge(layers, {run, identity: 'emulated'})
  const script =
    'rm -r usr/lib/gone etc/was-file; echo x >etc/was-file; ls usr/lib; cat etc/was-file etc/changed'
  const seen = await inStack(layers, {lowers: [base, into], script, identity: 'emulated'})
  assert.equal(seen, 'again\nkeep\nwas-folder\nx\n1\nmore\n')
})

test('a merged layer takes no space for files', async (t) => {
  const layers = await layersFolder(t, 'emulated')
  const [, ...run] = await writeLayers(layers, 'emulated')
  const into = await merge(layers, {run, identity: 'emulated'})
  const trees = [run[0], into].map((id) => join(layerFiles(layers, id).tree, 'etc/changed'))
  const {stdout} = await capture(['stat', '-c', '%i', ...trees])
  const [original, shared] = stdout.split('\n')
  assert.equal(original, shared)
})

test('what can not be merged says why, and leaves the layers', async (t) => {
  const layers = await layersFolder(t, 'emulated')
  const [base, ...run] = await writeLayers(layers, 'emulated')
  const before = await inStack(layers, {lowers: [base, ...run], script: LISTING, identity: 'emulated'})
  const missing: Run = [run[0], newLayerId('emulated')]
  await assert.rejects(merge(layers, {run: missing, identity: 'emulated'}), {
    code: 'ENVS_SQUASH_FAILED',
    exitCode: 8,
  })
  const after = await inStack(layers, {lowers: [base, ...run], script: LISTING, identity: 'emulated'})
  assert.equal(after, before)
})

type Identity = 'mapped' | 'emulated'

async function layersFolder(t: TestContext, identity: Identity): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'envs-layers-'))
  t.after(async () => capture([...(await namespacePrefix(identity, host)), 'rm', '-rf', folder]))
  await mkdir(join(folder, 'merged'))
  return folder
}

/** An image's layer and three that a guest changed it by, as the kernel writes them. */
async function writeLayers(layers: string, identity: Identity): Promise<[LayerId, ...Run]> {
  const base = newLayerId(identity)
  await mkdir(layerFiles(layers, base).tree, {recursive: true})
  const made = await capture(['bash', '-ec', IMAGE], {cwd: layerFiles(layers, base).tree})
  assert.equal(made.status, 0, made.stderr)
  const stack: LayerId[] = [base]
  for (const script of CHANGES) {
    const upper = newLayerId(identity)
    await inStack(layers, {lowers: stack, upper, script, identity})
    stack.push(upper)
  }
  const [, first, second, ...others] = stack
  assert.ok(first !== undefined && second !== undefined)
  return [base, first, second, ...others]
}

type Stack = {
  readonly lowers: readonly LayerId[]
  readonly upper?: LayerId
  readonly script: string
  readonly identity: Identity
}

/** What a script says that runs in the layers, mounted as one tree. */
async function inStack(
  layers: string,
  {lowers, upper = newLayerId('emulated'), script, identity}: Stack,
): Promise<string> {
  const [below] = lowers
  assert.ok(below !== undefined)
  await makeUpper(layers, upper, {below})
  const root = join(layers, 'merged')
  const [unshare = '', mount = ''] = [host.which('unshare'), host.which('mount')]
  const argv = [
    ...(await namespacePrefix(identity, host)),
    ...layeredMount({lowers, upper}, {layers, root, unshare, mount}),
    ...['bash', '-ec', `cd ${root}; ${script}`],
  ]
  const {status, stdout, stderr} = await capture(argv, {env: {...host.environment, LC_ALL: 'C'}})
  assert.equal(status, 0, stderr)
  return stdout
}

type Merge = {readonly run: Run; readonly identity: Identity}

async function merge(layers: string, {run, identity}: Merge): Promise<LayerId> {
  const into = newLayerId(identity)
  await mkdir(layerFiles(layers, into).folder)
  const {architecture, environment} = host
  const prefix = await namespacePrefix(identity, host)
  await mergeLayers({perl: requirePerl(host), architecture, prefix, environment}, {layers, run, into})
  return into
}
