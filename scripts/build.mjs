// Bundles the sources, so that the published package has nothing to install and starts fast. The work is
// done in a folder of its own and swapped in: a build that fails, or runs beside another, never leaves
// half a dist/.
import {copyFile, mkdir, readdir, readFile, rename, rm, writeFile} from 'node:fs/promises'
import {join, relative} from 'node:path'
import {fileURLToPath} from 'node:url'
import {Plugin} from '@oclif/core'
import {build} from 'esbuild'
import {collectNotices} from './notices.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const stage = join(root, `.build-${process.pid}`)

/** CommonJS packages inside an ES module bundle still ask for these. */
const COMMONJS_NAMES = `
import {createRequire as __createRequire} from 'node:module'
import {fileURLToPath as __fileURLToPath} from 'node:url'
const require = __createRequire(import.meta.url)
const __filename = __fileURLToPath(import.meta.url)
const __dirname = __fileURLToPath(new URL('.', import.meta.url))
`

/** Output name (without .js) to source. */
async function entryPoints() {
  const commands = await readdir(join(root, 'commands'), {recursive: true, withFileTypes: true})
  const entries = {main: 'src/main.ts'}
  for (const file of commands) {
    if (!file.isFile() || !file.name.endsWith('.ts')) continue
    const source = relative(root, join(file.parentPath ?? file.path, file.name))
    entries[source.slice(0, -'.ts'.length)] = source
  }
  return entries
}

const COMMON = {
  absWorkingDir: root,
  bundle: true,
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
  platform: 'node',
  target: 'node20.17',
}

async function bundle() {
  const [commands, worker] = await Promise.all([bundleCommands(), bundleWorker()])
  const metafile = {inputs: {...commands.metafile.inputs, ...worker.metafile.inputs}}
  await writeFile(join(stage, 'dist/THIRD-PARTY-NOTICES.txt'), await collectNotices(root, metafile))
}

async function bundleCommands() {
  return build({
    ...COMMON,
    banner: {js: COMMONJS_NAMES},
    chunkNames: 'chunks/[name]-[hash]',
    entryPoints: await entryPoints(),
    // oclif loads it only to run TypeScript sources, which the bundle never does; it would add 3.5 MB.
    external: ['typescript'],
    format: 'esm',
    outdir: join(stage, 'dist'),
    splitting: true,
  })
}

/** One file, and CommonJS: each create starts it three times, and modules of the other kind take longer to load. */
function bundleWorker() {
  return build({
    ...COMMON,
    banner: {js: "const __moduleUrl = require('node:url').pathToFileURL(__filename).href"},
    define: {'import.meta.url': '__moduleUrl'},
    entryPoints: {'rootfs-worker': 'src/rootfs/worker.ts'},
    format: 'cjs',
    outExtension: {'.js': '.cjs'},
    outdir: join(stage, 'dist'),
  })
}

/** What oclif would else find out at every start by loading each command. */
async function writeManifest() {
  await copyFile(join(root, 'package.json'), join(stage, 'package.json'))
  const pjson = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const plugin = new Plugin({
    root: stage,
    pjson,
    isRoot: true,
    ignoreManifest: true,
    errorOnManifestCreate: true,
    respectNoCacheDefault: true,
  })
  await plugin.load()
  await writeFile(join(stage, 'oclif.manifest.json'), `${JSON.stringify(plugin.manifest, null, 2)}\n`)
}

/** Another build may put its own dist/ there between the two renames: then that one is moved away too. */
async function publish() {
  for (let attempt = 0; ; attempt++) {
    await rename(join(root, 'dist'), join(stage, `old-${attempt}`)).catch(unless('ENOENT'))
    try {
      await rename(join(stage, 'dist'), join(root, 'dist'))
      break
    } catch (error) {
      if (attempt === 10) throw error
      unless('ENOTEMPTY', 'EEXIST')(error)
    }
  }
  await rename(join(stage, 'oclif.manifest.json'), join(root, 'oclif.manifest.json'))
}

function unless(...codes) {
  return (error) => {
    if (!codes.includes(error.code)) throw error
  }
}

try {
  await mkdir(stage)
  await bundle()
  await writeManifest()
  await publish()
} finally {
  await rm(stage, {recursive: true, force: true})
}
