import { createMemoryStore } from './memory-store.ts';
import { describeStoreContract } from './store-contract.ts';

describeStoreContract('memory', createMemoryStore, async ({ url }, body, store) => store.send(url, body));
