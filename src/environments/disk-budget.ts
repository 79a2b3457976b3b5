import {bytesOf} from '../config/kinds.js'
import type {Host} from '../host/host.js'
import {storeBytes} from './sizes.js'

export type OverBudget = {readonly usedBytes: number; readonly budgetBytes: number}

/** @param budget - The setting's value. @returns undefined without one, or within it. */
export async function overBudget(host: Host, budget: string | undefined): Promise<OverBudget | undefined> {
  if (budget === undefined) return undefined
  const budgetBytes = bytesOf(budget)
  const usedBytes = await storeBytes(host)
  return usedBytes > budgetBytes ? {usedBytes, budgetBytes} : undefined
}
