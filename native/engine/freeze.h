/*
 * Freezing the heap for a snapshot. Included by the engine at its end (build.rs): it has to know how blocks are laid out.
 */

/* Makes a large block immortal, of those that the allocator was asked for itself. */
void JS_FreezeBlock(void *start)
{
	JSMallocBlockHeader *block = start;
	if (block->u.block_idx == JS_ARENA_FREE_NIL)
		block->ref_count = JS_IMMORTAL;
}

/* Makes all small blocks immortal, and has none handed out that lies among them: who writes to it would copy their page. */
void JS_FreezeHeap(JSRuntime *rt)
{
	for (int size = 0; size < JS_ARENA_BLOCK_SIZE_COUNT; size++) {
		struct list_head *el;
		list_for_each(el, &rt->arena_state.arena_list[size]) {
			JSArena *arena = list_entry(el, JSArena, link);
			for (int index = 0; index < arena->n_blocks; index++) {
				JSMallocBlockHeader *block = arena_get_block(arena, index, arena_block_sizes[size]);
				block->ref_count = JS_IMMORTAL;
			}
			arena->n_used_blocks = arena->n_blocks;
			arena->first_free_block = JS_ARENA_FREE_NIL;
		}
		init_list_head(&rt->arena_state.free_arena_list[size]);
	}
}
