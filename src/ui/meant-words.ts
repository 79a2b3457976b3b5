import type {Interfaces} from '@oclif/core'
import {nearestNames} from '../host/nearest.js'
import {splitAtSeparator} from './guest-arguments.js'

/**
 * What was most likely meant by the flags that nobody declared, and by values that are none of those there are.
 *
 * @returns As they would be typed; empty where nothing looks like it.
 */
export function meantWords(argv: readonly string[], flags: Interfaces.FlagInput): string[] {
  const {own} = splitAtSeparator(argv)
  return own.flatMap((word, index) => {
    if (!word.startsWith('--')) return []
    const [name = '', attached] = splitOnce(word.slice(2))
    const flag = flags[name]
    if (flag === undefined) return nearestNames(name, Object.keys(flags)).map((near) => `--${near}`)
    const value = attached ?? own[index + 1]
    const options = flag.type === 'option' ? (flag.options ?? []) : []
    if (value === undefined || options.length === 0 || options.includes(value)) return []
    return nearestNames(value, options).map((near) => `--${name} ${near}`)
  })
}

function splitOnce(word: string): readonly [string, string | undefined] {
  const cut = word.indexOf('=')
  return cut === -1 ? [word, undefined] : [word.slice(0, cut), word.slice(cut + 1)]
}
