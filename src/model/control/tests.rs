use super::*;

fn vector(layers: &[usize], width: usize) -> SteeringVector {
    let values = |layer: usize| (0..width).map(|i| (i * layer) as f32 / 8.0).collect();
    SteeringVector {
        directions: layers.iter().map(|&layer| (layer, values(layer))).collect(),
        architecture: Some("llama".to_string()),
    }
}

fn bytes(vector: &SteeringVector) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(vector, &mut bytes).unwrap();
    bytes
}

fn read_bytes(bytes: &[u8]) -> Result<SteeringVector, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    read(file.path()).map_err(|error| error.replace(&file.path().display().to_string(), "v.gguf"))
}

#[test]
fn what_is_written_is_read_again() {
    for (layers, width) in [(vec![1], 1), (vec![1, 2, 29], 576), (vec![3, 12], 7)] {
        let vector = vector(&layers, width);
        assert_eq!(read_bytes(&bytes(&vector)).as_ref(), Ok(&vector));
    }
}

#[test]
fn a_file_that_can_not_be_used_says_what_is_wrong_in_one_line() {
    let whole = bytes(&vector(&[1, 2], 64));
    for cut in (0..whole.len()).step_by(17) {
        let error = read_bytes(&whole[..cut]).unwrap_err();
        assert!(!error.contains('\n') && error.starts_with("v.gguf: "), "{cut}: {error}");
    }
    let replaced = |from: &[u8], to: &[u8]| {
        let at = whole.windows(from.len()).position(|window| window == from).unwrap();
        let mut bytes = whole.clone();
        bytes[at..at + from.len()].copy_from_slice(to);
        read_bytes(&bytes).unwrap_err()
    };
    assert!(replaced(b"direction.2", b"direction.0").ends_with("direction.1, direction.2 … are wanted"));
    assert!(replaced(b"direction.2", b"something.2").ends_with("direction.1, direction.2 … are wanted"));
    let last = whole.len() - 4;
    let mut broken = whole.clone();
    broken[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert_eq!(read_bytes(&broken).unwrap_err(), "v.gguf: tensor direction.2: a value is no finite number");
    let none = bytes(&SteeringVector::default());
    assert_eq!(read_bytes(&none).unwrap_err(), "v.gguf: no tensor direction.N is in it");
}

proptest::proptest! {
    #[test]
    fn no_byte_makes_it_panic(at in 0usize..900, byte: u8) {
        let mut broken = bytes(&vector(&[1, 2], 64));
        let at = at % broken.len();
        broken[at] = byte;
        let _ = read_bytes(&broken);
    }
}
