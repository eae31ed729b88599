//! What the maker of the snapshot has to know of its own executable: elf(5), for 64-bit little-endian machines.

const PT_LOAD: u32 = 1;
const PROGRAM_HEADER_BYTES: usize = 56;
const SECTION_HEADER_BYTES: usize = 64;
const SHT_RELA: u32 = 4;
const RELA_BYTES: usize = 24;
/// Relocations whose value a function chooses at start, by what the processor can do.
#[cfg(target_arch = "x86_64")]
const R_IRELATIVE: u64 = 37;
#[cfg(target_arch = "aarch64")]
const R_IRELATIVE: u64 = 1032;

fn number<const BYTES: usize>(file: &[u8], at: usize) -> Result<u64, String> {
    let mut value = [0; 8];
    let bytes = file
        .get(at..at + BYTES)
        .ok_or("the executable's headers are cut")?;
    value[..BYTES].copy_from_slice(bytes);
    Ok(u64::from_le_bytes(value))
}

/// Where in the file the bytes are that are mapped at `address`.
pub fn offset_of(file: &[u8], address: usize, length: usize) -> Result<usize, String> {
    let table = number::<8>(file, 32)? as usize;
    let count = number::<2>(file, 56)? as usize;
    for index in 0..count {
        let header = table + index * PROGRAM_HEADER_BYTES;
        if number::<4>(file, header)? as u32 != PT_LOAD {
            continue;
        }
        let offset = number::<8>(file, header + 8)? as usize;
        let start = number::<8>(file, header + 16)? as usize;
        let size = number::<8>(file, header + 32)? as usize;
        if start <= address && address + length <= start + size {
            return Ok(offset + (address - start));
        }
    }
    Err("the snapshot's section is not in the executable's file".to_string())
}

/// Refuses a heap that holds the address of a function which was chosen for this processor: another may not have its
/// instructions. Only a C library with such functions (glibc) has relocations of this kind.
pub fn check_portable(file: &[u8], heap: &[u8]) -> Result<(), String> {
    let chosen = chosen_addresses(file)?;
    for word in heap.chunks_exact(8) {
        let value = u64::from_le_bytes(word.try_into().unwrap_or_default());
        if chosen.contains(&value) {
            return Err(format!(
                "the snapshot holds the address {value:#x} of a function chosen for this processor"
            ));
        }
    }
    Ok(())
}

/// The values that relocations by function have been given in this process.
fn chosen_addresses(file: &[u8]) -> Result<Vec<u64>, String> {
    let table = number::<8>(file, 40)? as usize;
    let count = number::<2>(file, 60)? as usize;
    let mut found = Vec::new();
    for index in 0..count {
        let header = table + index * SECTION_HEADER_BYTES;
        if number::<4>(file, header + 4)? as u32 != SHT_RELA {
            continue;
        }
        let offset = number::<8>(file, header + 24)? as usize;
        let size = number::<8>(file, header + 32)? as usize;
        for entry in (offset..offset + size).step_by(RELA_BYTES) {
            if number::<4>(file, entry + 8)? == R_IRELATIVE {
                let slot = number::<8>(file, entry)? as *const u64;
                found.push(unsafe { slot.read_volatile() });
            }
        }
    }
    Ok(found)
}
