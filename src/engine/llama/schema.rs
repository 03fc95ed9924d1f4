//! llama.cpp's converter of JSON schemas.

/// The GBNF grammar of a JSON schema. Recurses as deep as the schema and its references go: run it in a
/// child.
///
/// # Errors
/// That there is none; the converter's reason does not reach us.
pub fn grammar_of_schema(schema: &str) -> Result<String, String> {
    llama_cpp_2::json_schema_to_grammar(schema)
        .map_err(|_| "llama.cpp can't turn this schema into a grammar".to_string())
}
