// Makes the picture of README, docs/picture.svg, from a session in a real terminal of tmux(1):
//
//     node scripts/picture.mjs
//
// Needs a build, tmux, an APT repository within reach, and an ordinary user. Nothing is drawn by hand: only
// the working folder is renamed to /home/you, and typed text is highlighted. The image is downloaded before,
// as for everyone who creates a second environment.
import {execFileSync} from 'node:child_process'
import {mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import {fileURLToPath} from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

const TYPED = [
  'envs create trixie --name play',
  'envs enter play',
  'apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install hello',
  'hello',
  'exit',
  'envs diff play',
  'envs undo play',
]

const COLUMNS = 110
const ROWS = 50
const LINE = 18
const CHARACTER = 8.43
const MARGIN = 16
const PATIENCE_MS = 120_000

const [BACKGROUND, FOREGROUND, PROMPTED, TYPED_IN] = ['#1d1f21', '#c5c8c6', '#8abeb7', '#ffffff']
/** Colours by the number in an escape sequence: console_codes(4), "ECMA-48 Select Graphic Rendition". */
const COLORS = {
  31: '#cc6666',
  32: '#b5bd68',
  33: '#f0c674',
  34: '#81a2be',
  35: '#b294bb',
  36: '#8abeb7',
  90: '#969896',
}

/** The prompts of our shell and of the guest's. */
const PROMPT = /^(\$|\(play\)root@play:~#)(?: |$)/

const home = mkdtempSync(join(tmpdir(), 'envs-picture-'))
const environment = {
  HOME: home,
  PATH: `${join(home, '.programs')}:${process.env.PATH}`,
  PS1: '$ ',
  LANG: 'C.UTF-8',
}

function tmux(...argv) {
  return execFileSync('tmux', ['-S', join(home, 'tmux'), '-f', '/dev/null', ...argv], {
    env: environment,
    encoding: 'utf8',
  })
}

/** Returns the lines of the screen; with `-e` also their colours. */
function screen(...flags) {
  return tmux('capture-pane', '-p', ...flags, '-t', 'picture')
    .trimEnd()
    .split('\n')
}

/** Waits for this many prompts, of which the last one is empty. */
async function untilPrompts(count) {
  const deadline = Date.now() + PATIENCE_MS
  while (Date.now() < deadline) {
    const lines = screen()
    const last = PROMPT.exec(lines.at(-1) ?? '')
    if (last?.[1] === lines.at(-1)?.trimEnd() && lines.filter((line) => PROMPT.test(line)).length === count)
      return
    await sleep(100)
  }
  throw new Error(`no prompt after two minutes; the screen is\n${screen().join('\n')}`)
}

function escapeXml(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** Returns parts of a line, each of one colour. */
function partsOf(line) {
  const prompt = PROMPT.exec(line)?.[1]
  if (prompt !== undefined)
    return [
      {fill: PROMPTED, text: prompt},
      {fill: TYPED_IN, text: line.slice(prompt.length)},
    ]
  const [first, ...colored] = line.split('\x1b[')
  const parts = colored.map((part) => {
    const [, codes, text] = /^([\d;]*)m(.*)$/.exec(part)
    return {fill: COLORS[codes.split(';').at(-1)], text}
  })
  return [{text: first}, ...parts].filter(({text}) => text !== '')
}

function asText(parts, index) {
  const spans = parts.map(({fill, text}) =>
    fill === undefined ? escapeXml(text) : `<tspan fill="${fill}">${escapeXml(text)}</tspan>`,
  )
  // The same width in every font.
  const width = (CHARACTER * lengthOf(parts)).toFixed(1)
  const where = `x="${MARGIN}" y="${MARGIN + LINE * (index + 0.75)}" textLength="${width}" lengthAdjust="spacingAndGlyphs"`
  return `<text ${where} xml:space="preserve">${spans.join('')}</text>`
}

function lengthOf(parts) {
  return parts.reduce((sum, {text}) => sum + text.length, 0)
}

function asSvg(lines) {
  const width = Math.ceil(MARGIN * 2 + CHARACTER * Math.max(...lines.map(lengthOf)))
  const height = MARGIN * 2 + LINE * lines.length
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">`,
    '<title>A session with envs in a terminal</title>',
    '<!-- Made by node scripts/picture.mjs -->',
    `<rect width="${width}" height="${height}" rx="8" fill="${BACKGROUND}"/>`,
    `<g font-family="ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="14" fill="${FOREGROUND}">`,
    ...lines.map((parts, index) => (parts.length === 0 ? '' : asText(parts, index))),
    '</g>',
    '</svg>',
    '',
  ].join('\n')
}

mkdirSync(join(home, '.programs'))
symlinkSync(join(root, 'bin/envs'), join(home, '.programs/envs'))
const envs = (...argv) => execFileSync('envs', argv, {env: environment, cwd: home, stdio: 'ignore'})
try {
  envs('image', 'pull', 'trixie')
  const size = ['-x', String(COLUMNS), '-y', String(ROWS)]
  tmux('new-session', '-d', '-s', 'picture', ...size, '-c', home, 'bash', '--norc', '--noprofile', '-i')
  for (const [index, line] of TYPED.entries()) {
    await untilPrompts(index + 1)
    tmux('send-keys', '-t', 'picture', '-l', line)
    tmux('send-keys', '-t', 'picture', 'Enter')
  }
  await untilPrompts(TYPED.length + 1)
  const lines = screen('-e')
    .slice(0, -1)
    .map((line) => line.trimEnd().replaceAll(home, '/home/you'))
  const output = process.argv[2] ?? join(root, 'docs/picture.svg')
  writeFileSync(output, asSvg(lines.map(partsOf)))
  console.log(lines.join('\n'))
} finally {
  try {
    tmux('kill-server')
  } catch {
    // It never came up.
  }
  envs('rm', '--force', '--now', 'play')
  envs('prune', '--yes', '--older-than', '0')
  rmSync(home, {recursive: true, force: true})
}
