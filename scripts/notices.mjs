import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'

const NOTICE_FILE = /^(licen[cs]e|copying|notice)([.-].*)?$/i

/** Collects names and licence texts of the bundled packages. */
export async function collectNotices(root, metafile) {
  const folders = new Set(Object.keys(metafile.inputs).map(packageFolder).filter(Boolean))
  const notices = await Promise.all([...folders].sort().map((folder) => noticeOf(join(root, folder))))
  return ['The files in this folder contain the following packages.', ...notices].join(
    `\n\n${'-'.repeat(80)}\n\n`,
  )
}

/** `node_modules/a/node_modules/@b/c/lib/d.js` belongs to `node_modules/a/node_modules/@b/c`. */
function packageFolder(input) {
  return /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0]
}

async function noticeOf(folder) {
  const {name, version, license} = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
  const files = (await readdir(folder)).filter((file) => NOTICE_FILE.test(file)).sort()
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')))
  return [`${name} ${version} (${license})`, ...texts.map((text) => text.trim())].join('\n\n')
}
