import { type JsonObject } from '../../base/json.ts';
import { type AttemptOrder } from '../../engine/ports.ts';
import { ordersPrefix, type ObjectStore } from '../../pipeline/ports.ts';
import { mapLimited } from '../../base/map-limited.ts';

/** What a worker in a pod is handed: an object of the store, since a task may be larger than what fits a pod's environment. */
export interface PodOrder {
  order: AttemptOrder;
  /** Where progress is told, or null where the service cannot be reached. */
  callback: { url: string; token: string } | null;
}

export type OrderStore = Pick<ObjectStore, 'put' | 'get' | 'delete'>;

const AT_ONCE = 16;

/** The orders of a Job are named by it and by the completion index. A pod is told the folder and knows its index. */
export function ordersFolder(projectId: string, job: string): string {
  return ordersPrefix(projectId) + job;
}

export async function writeOrders(store: OrderStore, folder: string, orders: readonly PodOrder[]): Promise<void> {
  await mapLimited([...orders.entries()], AT_ONCE, async ([index, order]) => {
    const bytes = new TextEncoder().encode(JSON.stringify(order));
    await store.put(keyOf(folder, index), bytes, { mediaType: 'application/json' });
  });
}

export async function readOrder(store: OrderStore, folder: string, index: number): Promise<PodOrder> {
  const bytes = await store.get(keyOf(folder, index));
  return JSON.parse(new TextDecoder().decode(bytes)) as JsonObject as unknown as PodOrder;
}

export async function deleteOrders(store: OrderStore, folder: string, count: number): Promise<void> {
  await mapLimited([...Array(count).keys()], AT_ONCE, (index) => store.delete(keyOf(folder, index)));
}

function keyOf(folder: string, index: number): string {
  return `${folder}/${index}.json`;
}
