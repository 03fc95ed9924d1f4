//! The tensor table's vocabulary: ggml's types and the description of one tensor.

/// How ggml stores the elements of a tensor.
#[derive(Debug, PartialEq, Eq)]
pub struct TensorType {
    /// Its number in a file.
    pub number: u32,
    /// ggml's name.
    pub name: &'static str,
    /// Elements in a block; a row is a whole number of blocks.
    pub block: u64,
    /// Bytes of a block.
    pub bytes: u64,
    /// Whether ggml's CPU code can multiply a matrix of this type.
    pub multiplies: bool,
}

const fn weight(number: u32, name: &'static str, block: u64, bytes: u64) -> TensorType {
    TensorType { number, name, block, bytes, multiplies: true }
}

const fn other(number: u32, name: &'static str, block: u64, bytes: u64) -> TensorType {
    TensorType { number, name, block, bytes, multiplies: false }
}

/// ggml's types (`ggml_type` in ggml.h, sizes from ggml-common.h). Numbers 4, 5, 31–33 and 36–38
/// were given up upstream and are no longer read.
static TYPES: &[TensorType] = &[
    weight(0, "F32", 1, 4),
    weight(1, "F16", 1, 2),
    weight(2, "Q4_0", 32, 18),
    weight(3, "Q4_1", 32, 20),
    weight(6, "Q5_0", 32, 22),
    weight(7, "Q5_1", 32, 24),
    weight(8, "Q8_0", 32, 34),
    other(9, "Q8_1", 32, 36),
    weight(10, "Q2_K", 256, 84),
    weight(11, "Q3_K", 256, 110),
    weight(12, "Q4_K", 256, 144),
    weight(13, "Q5_K", 256, 176),
    weight(14, "Q6_K", 256, 210),
    other(15, "Q8_K", 256, 292),
    weight(16, "IQ2_XXS", 256, 66),
    weight(17, "IQ2_XS", 256, 74),
    weight(18, "IQ3_XXS", 256, 98),
    weight(19, "IQ1_S", 256, 50),
    weight(20, "IQ4_NL", 32, 18),
    weight(21, "IQ3_S", 256, 110),
    weight(22, "IQ2_S", 256, 82),
    weight(23, "IQ4_XS", 256, 136),
    other(24, "I8", 1, 1),
    other(25, "I16", 1, 2),
    other(26, "I32", 1, 4),
    other(27, "I64", 1, 8),
    other(28, "F64", 1, 8),
    weight(29, "IQ1_M", 256, 56),
    weight(30, "BF16", 1, 2),
    weight(34, "TQ1_0", 256, 54),
    weight(35, "TQ2_0", 256, 66),
    weight(39, "MXFP4", 32, 17),
    weight(40, "NVFP4", 64, 36),
    weight(41, "Q1_0", 128, 18),
    weight(42, "Q2_0", 64, 18),
];

impl TensorType {
    /// The type with this number.
    pub fn from_number(number: u32) -> Option<&'static TensorType> {
        TYPES.iter().find(|kind| kind.number == number)
    }
}

/// One tensor as the file describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Its name: UTF-8, shorter than 64 bytes, unique in the file.
    pub name: String,
    /// Elements in each dimension, the row first; unused ones are 1.
    pub shape: [u64; 4],
    /// How the elements are stored.
    pub kind: &'static TensorType,
    /// First byte, counted from the start of the data section.
    pub offset: u64,
    /// Bytes of the data.
    pub size: u64,
}

impl Tensor {
    /// Number of elements.
    pub fn elements(&self) -> u64 {
        self.shape.iter().product()
    }
}

/// A shape without trailing ones.
pub(super) fn shape_text(shape: &[u64]) -> String {
    let used = shape.iter().rposition(|&n| n != 1).map_or(1, |last| last + 1);
    let dims: Vec<String> = shape[..used].iter().map(u64::to_string).collect();
    dims.join(" × ")
}
