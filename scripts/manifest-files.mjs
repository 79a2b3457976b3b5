import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {build} from 'esbuild'
import {completionTables} from './completion-table.mjs'
import {manPage} from './pages/man-page.mjs'

/**
 * Writes the files that are generated from the manifest to `stage`: the tables of completion, and the manual
 * page.
 */
export async function writeFromManifest(root, stage) {
  const {manifest, pjson} = await readManifest(stage)
  const {SETTINGS} = await importSource(root, 'src/config/schema.ts')
  const {SESSION_OPTIONS: sessionOptions} = await importSource(root, 'src/sandbox/session-options.ts')
  const settings = Object.entries(SETTINGS)
  const catalogue = await readTexts(join(root, 'templates/catalog'), ['ubuntu.csv', 'debian.csv'])
  const tables = completionTables(manifest, {topics: pjson.oclif.topics, settings, sessionOptions, catalogue})
  await mkdir(join(stage, 'dist/completion'), {recursive: true})
  for (const [name, text] of Object.entries(tables))
    await writeFile(join(stage, 'dist/completion', name), text)
  const page = manPage(manifest, pjson, {
    exitStatuses: exitStatuses(await readFile(join(root, 'docs/exit-codes.md'), 'utf8')),
    settings: settings.map(([name, {variable}]) => [variable, name]),
  })
  await writeFile(join(stage, 'dist/envs.1'), page)
}

/** Reads the declarations of the commands, and package.json. */
export async function readManifest(folder) {
  const [manifest, pjson] = await readTexts(folder, ['oclif.manifest.json', 'package.json'])
  return {manifest: JSON.parse(manifest), pjson: JSON.parse(pjson)}
}

/** Returns the rows of the page's table. */
function exitStatuses(page) {
  const rows = [...page.matchAll(/^\| (\d[\d, ]*) \| ([^|]+) \|/gm)]
  return rows.map(([, status, meaning]) => [status, `${meaning[0].toUpperCase()}${meaning.slice(1).trim()}.`])
}

function readTexts(folder, names) {
  return Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))
}

async function importSource(root, source) {
  const {outputFiles} = await build({
    absWorkingDir: root,
    bundle: true,
    entryPoints: [source],
    format: 'esm',
    platform: 'node',
    write: false,
  })
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString('base64')}`)
}
