import {readFileSync} from 'node:fs'
import {templatePath} from '../../host/paths.js'

/**
 * Fills the `{{slots}}` of a file of `templates/rootfs/`.
 *
 * @throws {Error} On a slot without a value: the template and its fix disagree.
 */
export function fillTemplate(name: string, values: Readonly<Record<string, string>> = {}): Buffer {
  const text = readFileSync(templatePath(`rootfs/${name}`), 'utf8')
  return Buffer.from(
    text.replace(/\{\{(\w+)\}\}/g, (_, slot: string) => {
      const value = values[slot]
      if (value === undefined) throw new Error(`template ${name} has no value for ${slot}`)
      return value
    }),
  )
}
