// Bundles tests, so that none of their processes needs a loader: what they share is compiled once for all.
import {mkdir, readdir, readFile, symlink, writeFile} from 'node:fs/promises'
import {join, relative} from 'node:path'
import {fileURLToPath, pathToFileURL} from 'node:url'
import {build} from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const PROGRAMS = 'test/support/programs'

/**
 * @param together - Sources of tests that run in one process, one after the other.
 * @param apart - Sources of tests that get a process each.
 * @param folder - Where the bundle goes; it need not be inside the checkout.
 * @returns The files to run, and where the programs of test/support/programs are.
 */
export async function bundleTests({together, apart}, folder) {
  const programs = (await readdir(join(root, PROGRAMS))).filter((name) => name.endsWith('.ts'))
  const group = join(folder, 'together.mjs')
  await mkdir(folder, {recursive: true})
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  await writeFile(group, together.map((path) => `import ${JSON.stringify(join(root, path))}\n`).join(''))
  const outdir = join(folder, 'bundle')
  await build({
    absWorkingDir: root,
    // V8 counts for this process alone: a program that a test starts, and kills, would leave half a file of counts.
    banner: {js: 'delete process.env.NODE_V8_COVERAGE'},
    bundle: true,
    define: {__buildId: JSON.stringify(await builtId())},
    entryPoints: [
      ...(together.length > 0 ? [{in: group, out: 'together'}] : []),
      ...[...apart, ...programs.map((name) => join(PROGRAMS, name))].map((path) => ({
        in: join(root, path),
        out: path.replace(/\.ts$/, ''),
      })),
    ],
    format: 'esm',
    logLevel: 'warning',
    outdir,
    outExtension: {'.js': '.mjs'},
    packages: 'external',
    platform: 'node',
    plugins: [ownAddresses],
    sourcemap: true,
    splitting: true,
    target: 'node20.17',
  })
  return {
    files: [...(together.length > 0 ? ['together'] : []), ...apart].map((path) =>
      join(outdir, path.replace(/\.ts$/, '.mjs').replace(/^together$/, 'together.mjs')),
    ),
    programs: join(outdir, PROGRAMS),
  }
}

/** Of the worker that the tests start, which answers to its own build alone: the first line of its program names that. */
async function builtId() {
  const program = await readFile(join(root, 'dist/rootfs-worker.cjs'), 'utf8')
  return /^\/\/ (\w+)\n/.exec(program)?.[1] ?? ''
}

/** `import.meta.url` is what it would be without the bundle; for a source of envs, as if it were in dist/. */
const ownAddresses = {
  name: 'own-addresses',
  setup({onLoad}) {
    onLoad({filter: /\.[cm]?[jt]s$/}, async ({path}) => {
      const inside = relative(root, path)
      if (inside.startsWith('..') || inside.startsWith('node_modules/')) return undefined
      const contents = await readFile(path, 'utf8')
      if (!contents.includes('import.meta.url')) return undefined
      const isProgram = inside.startsWith('src/') || inside.startsWith('commands/')
      const address = isProgram ? join(root, 'dist', inside.replace(/\.ts$/, '.js')) : path
      return {
        contents: contents.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(address).href)),
        loader: path.endsWith('.ts') ? 'ts' : 'js',
      }
    })
  },
}
