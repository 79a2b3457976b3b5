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
  const cached = await Promise.all([bundleProgram(table, 'main'), ...alone, ...LIBRARIES.map(bundleLibrary)])
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
  return bundleForCache(name, programText(table), {plugins: [librariesApart]})
}

const OCLIF = '@oclif/core'
const OCLIF_HELP = '@oclif/core/help'

/** Packages that most commands do without, and that would make the file of the others a large one. */
const LIBRARIES = [
  ...[OCLIF, OCLIF_HELP, 'conf', 'got', 'listr2', 'openpgp'],
  ...['fzstd', 'http-proxy-agent', 'https-proxy-agent', 'xz-decompress'],
]

const librariesApart = {
  name: 'libraries-apart',
  setup({onLoad, onResolve}) {
    const filter = new RegExp(`^(${LIBRARIES.join('|')}|${OCLIF}/.+)$`)
    onResolve({filter}, ({path}) => ({
      path: path.startsWith(`${OCLIF}/`) ? OCLIF_HELP : path,
      namespace: 'library',
    }))
    onResolve({filter: /^\.\/library-.*\.cjs$/}, ({path}) => ({path, external: true}))
    onLoad({filter, namespace: 'library'}, async ({path}) => ({contents: await libraryDoor(path)}))
  },
}

/** A module that exports what the package does; each by its name, for `require` says nothing of a default. */
async function libraryDoor(library) {
  if (library.startsWith(OCLIF)) return `module.exports = require('./${libraryName(library)}.cjs')`
  const names = Object.keys(await import(library)).filter((name) => /^\w+$/.test(name) && name !== 'default')
  return `
    const library = require('./${libraryName(library)}.cjs')
    export const {${names}} = library
    export default library.default ?? library
  `
}

function bundleLibrary(library) {
  // oclif loads it only to run TypeScript sources, which the bundle never does; it would add 3.5 MB.
  const contents =
    PARTS[library] === undefined ? `module.exports = require('${library}')` : partsText(PARTS[library])
  return bundleForCache(libraryName(library), contents, {
    external: library === OCLIF ? ['typescript', ...HELP_ALONE] : ['typescript'],
    plugins: [requireLate(library)],
  })
}

/**
 * Imports of the sources from oclif, with the file of each: oclif's main file loads semver to check the version of Node. Help
 * and the complete configuration are a separate library, because they need most of oclif.
 */
const PARTS = {
  [OCLIF]: {args: '*Args', command: 'Command', config: 'Config', errors: '*Errors', flags: '*Flags'},
  [OCLIF_HELP]: {config: 'Config', help: 'loadHelpClass', settings: 'settings'},
}

/** Packages that only help, and the configuration as a whole, come to use. */
const HELP_ALONE = ['cli-spinners', 'ejs', 'lilconfig', 'minimatch', 'semver', 'tinyglobby', 'wsl-utils']

function partsText(parts) {
  const getters = Object.entries(parts).map(([file, part]) => {
    const name = part.replace('*', '')
    return `get ${name}() { return require('${OCLIF}/${file}')${part === name ? `.${name}` : ''} }`
  })
  return `module.exports = {${getters.join(',')}}`
}

/** Imports of oclif that are replaced in each library: another number means that another oclif is compiled otherwise, and loads at once. */
const LATE = {[OCLIF]: 237, [OCLIF_HELP]: 202}

/**
 * Has the files of oclif load one another when something of them is first asked for: a command needs a tenth of them, and
 * to run all of them takes as long as the command. It compiles `import` to `const name_1 = require("…")`.
 */
const requireLate = (library) => ({
  name: 'require-late',
  setup({onEnd, onLoad, onStart}) {
    let found = 0
    onStart(() => {
      found = 0
    })
    onEnd(() => {
      const expected = LATE[library] ?? 0
      if (found === expected) return
      const text = `${library}: ${found} imports of oclif were replaced, and not ${expected}: compare its compiled text with the pattern in requireLate, then set LATE`
      return {errors: [{text}]}
    })
    onLoad({filter: /\/@oclif\/core\/lib\/.*\.js$/}, async ({path}) => {
      const text = await readFile(path, 'utf8')
      const names = []
      let late = text.replaceAll(
        /^(?:const|var) (\w+_\d+) = ((?:__import\w+\()?require\("[^"]+"\)\)?);$/gm,
        (_, name, load) => {
          names.push(name)
          return `let ${name}$; const ${name}$load = () => ${name}$ ??= ${load};`
        },
      )
      found += names.length
      const uses = new RegExp(`(?<![\\w$.])(${names.join('|')})(?![\\w$])`, 'g')
      // Ours writes with writeSync: the stream would load what Node has for networks.
      if (path.endsWith('/lib/command.js')) {
        const listens = /^process\.stdout\.on\('error'.*?^\}\);$/ms
        if (!listens.test(late))
          return {errors: [{text: 'requireLate does not find where it listens to process.stdout'}]}
        late = late.replace(listens, '')
      }
      return {contents: names.length === 0 ? text : late.replaceAll(uses, '($1$$load())')}
    })
  },
})

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
