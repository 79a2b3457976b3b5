// Bundles the sources, so that the published package has nothing to install and starts fast. The work is
// done in a folder of its own and swapped in: a build that fails, or runs beside another, never leaves
// half a dist/.
import {createHash} from 'node:crypto'
import {copyFile, mkdir, readdir, readFile, rename, rm, writeFile} from 'node:fs/promises'
import {join, relative} from 'node:path'
import {fileURLToPath} from 'node:url'
import {Plugin} from '@oclif/core'
import {build} from 'esbuild'
import {FILES_APART} from '../bin/code-cache.js'
import {helpLibraryText, OCLIF, OCLIF_HELP, oclifParser, requireLate} from './bundle-oclif.mjs'
import {writeFromManifest} from './manifest-files.mjs'
import {collectNotices} from './notices.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const stage = join(root, `.build-${process.pid}`)

/** Output name (without .js) to source. */
async function commandSources() {
  const commands = await readdir(join(root, 'commands'), {recursive: true, withFileTypes: true})
  const entries = {}
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

const BUILD_ID = await buildId()

const COMMONJS = {
  banner: {js: "const __moduleUrl = require('node:url').pathToFileURL(__filename).href"},
  define: {'import.meta.url': '__moduleUrl', __buildId: JSON.stringify(BUILD_ID)},
  format: 'cjs',
}

/** The digest of all that a build is made of: the worker refuses a command of another one. */
async function buildId() {
  const hash = createHash('sha256')
  for (const folder of ['src', 'commands', 'package-lock.json', 'scripts/build.mjs']) {
    const entries = await readdir(join(root, folder), {recursive: true, withFileTypes: true}).catch(
      unless('ENOTDIR'),
    )
    const files = entries
      ?.filter((entry) => entry.isFile())
      .map(({parentPath, name}) => join(parentPath, name))
    for (const path of files?.sort() ?? [join(root, folder)])
      hash.update(path.slice(root.length)).update(await readFile(path))
  }
  return hash.digest('hex').slice(0, 32)
}

async function bundle() {
  const table = await writeManifest()
  await writeFromManifest(root, stage)
  const alone = [...new Set(Object.values(FILES_APART))].map((name) =>
    bundleProgram({...table, commands: table.commands.filter(({id}) => FILES_APART[id] === name)}, name),
  )
  const programs = await Promise.all([bundleProgram(table, 'main'), ...alone])
  const libraries = await Promise.all(LIBRARIES.filter((name) => name !== OCLIF_HELP).map(bundleLibrary))
  const habits = await bundleForCache(HABITS, "module.exports = require('./src/cli/habits/table.ts')", {})
  const cached = [...programs, ...libraries, habits, await bundleLibrary(OCLIF_HELP)]
  await writeMarked(cached.flatMap(({outputFiles}) => outputFiles))
  const built = [...cached, await bundleWorker()]
  const metafile = {inputs: Object.assign({}, ...built.map(({metafile}) => metafile.inputs))}
  await writeFile(join(stage, 'dist/THIRD-PARTY-NOTICES.txt'), await collectNotices(root, metafile))
}

/**
 * All of envs in one file, each part of which runs when it is first asked for. CommonJS: modules of the other kind take
 * longer to load, and bin/envs.js keeps what V8 makes of this one.
 */
function bundleProgram(table, name) {
  const plugins = QUICK.includes(name) ? [librariesApart] : [...oclifInside, librariesApart]
  return bundleForCache(name, programText(table), {plugins})
}

/** Programs of commands whose line is read without oclif, unless something is wrong with it. */
const QUICK = ['session', 'overview']

const oclifInside = [oclifParser(`./${libraryName(OCLIF_HELP)}.cjs`), requireLate]

/** Packages that most commands do without, and that would make the file of the others a large one. */
const LIBRARIES = [
  ...[OCLIF, OCLIF_HELP, 'conf', 'got', 'listr2', 'openpgp'],
  ...['fzstd', 'http-proxy-agent', 'https-proxy-agent', 'xz-decompress'],
  ...['@sigstore/bundle', '@sigstore/protobuf-specs', '@sigstore/verify'],
]

/** Small packages of functions alone, with tables that are made as they load. */
const LATE = ['damerau-levenshtein', 'get-east-asian-width']

/** The table of what users of other tools type: only an error needs it. */
const HABITS = 'library-habits'

const librariesApart = {
  name: 'libraries-apart',
  setup({onLoad, onResolve}) {
    onResolve({filter: /^\.\/table\.js$/}, ({importer}) =>
      importer.endsWith('/habits/find.ts') ? {path: HABITS, namespace: 'habits'} : undefined,
    )
    onLoad({filter: /^/, namespace: 'habits'}, () => ({
      contents: `export const habitTable = () => require('./${HABITS}.cjs').habitTable()`,
      resolveDir: root,
    }))
    const filter = new RegExp(`^(${[...LIBRARIES, ...LATE].join('|')}|${OCLIF}/.+)$`)
    onResolve({filter}, ({path, importer, namespace}) => {
      if (namespace !== 'file' || importer.includes('/node_modules/')) return undefined
      return {path: path.startsWith(`${OCLIF}/`) ? OCLIF_HELP : path, namespace: 'library'}
    })
    onResolve({filter: /^\.\/library-.*\.cjs$/}, ({path}) => ({path, external: true}))
    onLoad({filter, namespace: 'library'}, async ({path}) => ({
      contents: await (LATE.includes(path) ? lateDoor(path) : libraryDoor(path)),
      resolveDir: root,
    }))
  },
}

/** A module that exports what the package does; each by its name, for `require` says nothing of a default. */
async function libraryDoor(library) {
  const file = `./${libraryName(library)}.cjs`
  if (library.startsWith(OCLIF)) return `module.exports = require('${file}')`
  return `
    const library = require('${file}')
    export const {${await namesOf(library)}} = library
    export default library.default ?? library
  `
}

/** A module whose functions load the package when they are called. */
async function lateDoor(library) {
  const names = await namesOf(library)
  const functions = names.map(
    (name) => `export const ${name} = (...parameters) => require('${library}').${name}(...parameters)`,
  )
  return `
    ${functions.join('\n')}
    const load = () => { const library = require('${library}'); return library.default ?? library }
    export default (...parameters) => load()(...parameters)
  `
}

async function namesOf(library) {
  return Object.keys(await import(library)).filter((name) => /^\w+$/.test(name) && name !== 'default')
}

function bundleLibrary(library) {
  const contents = library === OCLIF_HELP ? helpLibraryText() : `module.exports = require('${library}')`
  return bundleForCache(libraryName(library), contents, {
    // oclif loads it only to run TypeScript sources, which the bundle never does; it would add 3.5 MB.
    external: ['typescript', './library-*.cjs'],
    plugins: library === OCLIF ? oclifInside : [requireLate],
  })
}

function libraryName(library) {
  return `library-${library.replaceAll(/\W+/g, '-').replace(/^-/, '')}`
}

function bundleForCache(name, contents, options) {
  return build({
    ...COMMON,
    ...COMMONJS,
    ...options,
    // One byte a letter: V8 takes it as it is.
    charset: 'ascii',
    minifySyntax: true,
    minifyWhitespace: true,
    outfile: join(stage, `dist/${name}.cjs`),
    // A text that is compiled by bin/code-cache.js can only require.
    supported: {'dynamic-import': false},
    stdin: {contents, loader: 'ts', resolveDir: root, sourcefile: `${name}.ts`},
    write: false,
  })
}

/** Each begins with the digest of all, by which bin/code-cache.js knows whether what it has kept is of this build. */
async function writeMarked(files) {
  const hash = createHash('sha256')
  for (const {text} of files) hash.update(text)
  const mark = `// ${hash.digest('hex').slice(0, 32)}\n`
  await mkdir(join(stage, 'dist'), {recursive: true})
  for (const {path, text} of files) await writeFile(path, mark + text)
}

/** The commands, each loaded when it is asked for. */
function programText({commands, topics}) {
  const entries = commands.map(({source, ...declared}) => {
    const known = JSON.stringify(declared).slice(1, -1)
    return `{${known}, load: () => import(${JSON.stringify(source)})}`
  })
  return `
    import {main, type CommandTable} from './src/cli/main.ts'
    const table: CommandTable = {commands: [${entries.join(',')}], topics: ${JSON.stringify(topics)}}
    export const run = (argv: readonly string[]) => main(argv, table)
  `
}

/** One file, and CommonJS: each create starts it three times, and modules of the other kind take longer to load. Its first line is the build's id. */
function bundleWorker() {
  return build({
    ...COMMON,
    ...COMMONJS,
    banner: {js: `// ${BUILD_ID}\n${COMMONJS.banner.js}`},
    entryPoints: {'rootfs-worker': 'src/rootfs/worker/main.ts'},
    minifySyntax: true,
    minifyWhitespace: true,
    outExtension: {'.js': '.cjs'},
    outdir: join(stage, 'dist'),
  })
}

/**
 * Writes the manifest for the help, and returns the table by which commands are found: both from the
 * declarations of the commands.
 *
 * @returns The table.
 */
async function writeManifest() {
  await copyFile(join(root, 'package.json'), join(stage, 'package.json'))
  const pjson = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  await build({
    ...COMMON,
    entryPoints: await commandSources(),
    format: 'esm',
    outdir: join(stage, 'dist'),
    packages: 'external',
    splitting: true,
  })
  const plugin = new Plugin({
    root: stage,
    pjson,
    isRoot: true,
    ignoreManifest: true,
    errorOnManifestCreate: true,
    respectNoCacheDefault: true,
  })
  await plugin.load()
  await writeFile(join(stage, 'oclif.manifest.json'), `${JSON.stringify(plugin.manifest)}\n`)
  await rm(join(stage, 'dist'), {recursive: true})
  const commands = Object.values(plugin.manifest.commands).map(({id, aliases, hiddenAliases, hidden}) => ({
    id,
    isHidden: hidden === true,
    aliases: [...aliases, ...hiddenAliases],
    source: `./commands/${id.replaceAll(':', '/')}.ts`,
  }))
  return {commands, topics: Object.keys(pjson.oclif.topics)}
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
  await publish()
} finally {
  await rm(stage, {recursive: true, force: true})
}
