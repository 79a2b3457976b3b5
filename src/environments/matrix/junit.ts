import {open} from 'node:fs/promises'
import {writeFileAtomic} from '../../host/files.js'
import type {Cell, MatrixResult} from './results.js'
import {hasPassed} from './run.js'

/** Of the output of one cell; the log has all of it. */
const MOST_OUTPUT_BYTES = 256 * 1024

/** Characters that XML can't have, not even as references. @see https://www.w3.org/TR/xml/#charsets */
const NOT_IN_XML = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu

const ENTITIES: Readonly<Record<string, string>> = {'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;'}

/** Writes a report in the format of JUnit, with the end of each cell's output. */
export async function writeJunit(path: string, result: MatrixResult): Promise<void> {
  const outputs = await Promise.all(result.cells.map(({log}) => (log === null ? '' : endOf(log))))
  await writeFileAtomic(path, junitReport(result, outputs), {mode: 0o644})
}

/** Returns the report: a test case a cell. @param outputs - Of the cells, in their order; they are the guest's. */
function junitReport({cells}: MatrixResult, outputs: readonly string[]): string {
  const count = (...outcomes: readonly Cell['outcome'][]) =>
    cells.filter((cell) => !hasPassed(cell) && outcomes.includes(cell.outcome)).length
  const cases = cells.map((cell, index) => {
    const name = escapeXml(`${cell.image} ${cell.architecture}`)
    const output = `<system-out>${escapeXml(outputs[index] ?? '')}</system-out>`
    return `  <testcase classname="envs.matrix" name="${name}" time="${cell.seconds}">${endingOf(cell)}${output}</testcase>`
  })
  const figures = [
    `tests="${cells.length}"`,
    `failures="${count('failed', 'timeout')}"`,
    `errors="${count('error')}"`,
    `skipped="${count('skipped', 'cancelled')}"`,
  ]
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="envs matrix" ${figures.join(' ')}>`,
    ...cases,
    '</testsuite>',
    '',
  ].join('\n')
}

function endingOf(cell: Cell): string {
  if (hasPassed(cell)) return ''
  const {outcome, status, message} = cell
  switch (outcome) {
    case 'error':
      return `<error message="${escapeXml(message ?? '')}"/>`
    case 'skipped':
    case 'cancelled':
      return '<skipped/>'
    default:
      return `<failure message="${status === null ? outcome : `${outcome} with status ${status}`}"/>`
  }
}

function escapeXml(text: string): string {
  return text.replace(NOT_IN_XML, '').replace(/[&<>"]/g, (character) => ENTITIES[character] ?? '')
}

async function endOf(path: string): Promise<string> {
  const file = await open(path)
  try {
    const {size} = await file.stat()
    const length = Math.min(size, MOST_OUTPUT_BYTES)
    const {buffer, bytesRead} = await file.read(Buffer.alloc(length), 0, length, size - length)
    return buffer.subarray(0, bytesRead).toString('utf8')
  } finally {
    await file.close()
  }
}
