//! `#[derive(Params)]`: a struct's fields become a handler's typed parameters.
//!
//! | on a field | meaning |
//! | --- | --- |
//! | doc comment | its help text |
//! | `#[param(path)]` | comes from a capture of the route |
//! | `#[param(name = "type")]` | what clients call it, if not the field's own name |
//! | `#[param(default = expr)]` | used when it was not sent |
//! | `#[param(required)]` | must be sent |
//! | `#[param(older_name_of = "token_ttl")]` | another name of that parameter; policy takes the two for one. Instead of a doc comment |
//! | `#[param(flatten)]` | parameters of its own that several handlers share; its type is `Params`, too |
//!
//! On the struct, `#[params(free_form)]` says that the body is the user's data and no name in it is unknown.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Expr, Field, Fields, Lit, Meta, parse_macro_input};

#[proc_macro_derive(Params, attributes(param, params))]
pub fn derive_params(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

fn expand(input: &DeriveInput) -> syn::Result<Tokens> {
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new_spanned(input, "parameters are a struct with named fields"));
    };
    let Fields::Named(named) = &data.fields else {
        return Err(syn::Error::new_spanned(input, "parameters are a struct with named fields"));
    };
    let fields = named.named.iter().map(Parameter::read).collect::<syn::Result<Vec<_>>>()?;
    let specs = fields.iter().filter(|f| !f.flatten).map(Parameter::spec);
    let shared: Vec<_> = fields.iter().filter(|f| f.flatten).map(|f| &f.field.ty).collect();
    let reads = fields.iter().map(Parameter::reader);
    let free_form = is_free_form(&input.attrs)?;
    let name = &input.ident;
    Ok(quote! {
        impl ::bulla_kit::Params for #name {
            const FIELDS: &'static [::bulla_kit::FieldSpec] = {
                const OWN: &[::bulla_kit::FieldSpec] = &[#(#specs),*];
                const COUNT: usize = OWN.len() #(+ <#shared as ::bulla_kit::Params>::FIELDS.len())*;
                const ALL: [::bulla_kit::FieldSpec; COUNT] =
                    ::bulla_kit::FieldSpec::joined(&[OWN #(, <#shared as ::bulla_kit::Params>::FIELDS)*]);
                &ALL
            };
            const FREE_FORM: bool = #free_form;

            fn from_input(input: &::bulla_kit::Input) -> ::core::result::Result<Self, ::bulla_kit::EngineError> {
                ::core::result::Result::Ok(Self { #(#reads),* })
            }
        }
    })
}

fn is_free_form(attrs: &[Attribute]) -> syn::Result<bool> {
    let mut free = false;
    for attr in attrs.iter().filter(|a| a.path().is_ident("params")) {
        attr.parse_nested_meta(|meta| {
            if meta.path.is_ident("free_form") {
                free = true;
                return Ok(());
            }
            Err(meta.error("only `free_form` is known here"))
        })?;
    }
    Ok(free)
}

struct Parameter<'a> {
    field: &'a Field,
    name: String,
    help: String,
    path: bool,
    required: bool,
    flatten: bool,
    default: Option<Expr>,
    older_name_of: Option<String>,
}

impl<'a> Parameter<'a> {
    fn read(field: &'a Field) -> syn::Result<Self> {
        let ident = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
        let name = ident.trim_start_matches("r#").to_owned();
        let help = doc_text(&field.attrs);
        let mut this = Self {
            field,
            name,
            help,
            path: false,
            required: false,
            flatten: false,
            default: None,
            older_name_of: None,
        };
        for attr in field.attrs.iter().filter(|a| a.path().is_ident("param")) {
            attr.parse_nested_meta(|meta| {
                if meta.path.is_ident("path") {
                    this.path = true;
                } else if meta.path.is_ident("required") {
                    this.required = true;
                } else if meta.path.is_ident("flatten") {
                    this.flatten = true;
                } else if meta.path.is_ident("name") {
                    this.name = meta.value()?.parse::<syn::LitStr>()?.value();
                } else if meta.path.is_ident("older_name_of") {
                    let present = meta.value()?.parse::<syn::LitStr>()?.value();
                    this.help = format!("The older name of `{present}`.");
                    this.older_name_of = Some(present);
                } else if meta.path.is_ident("default") {
                    this.default = Some(meta.value()?.parse()?);
                } else {
                    return Err(meta.error("known: path, required, flatten, name, default, older_name_of"));
                }
                Ok(())
            })?;
        }
        Ok(this)
    }

    fn source(&self) -> Tokens {
        if self.path { quote!(::bulla_kit::ParamSource::Path) } else { quote!(::bulla_kit::ParamSource::Body) }
    }

    fn spec(&self) -> Tokens {
        let (ty, name, help, required, source) = (&self.field.ty, &self.name, &self.help, self.required, self.source());
        let older_name_of = match &self.older_name_of {
            Some(present) => quote!(::core::option::Option::Some(#present)),
            None => quote!(::core::option::Option::None),
        };
        quote! {
            ::bulla_kit::FieldSpec {
                name: #name,
                kind: <#ty as ::bulla_kit::Field>::KIND,
                source: #source,
                help: #help,
                required: #required,
                older_name_of: #older_name_of,
            }
        }
    }

    fn reader(&self) -> Tokens {
        let (ident, ty, name, source) = (&self.field.ident, &self.field.ty, &self.name, self.source());
        if self.flatten {
            return quote!(#ident: <#ty as ::bulla_kit::Params>::from_input(input)?);
        }
        let absent = match &self.default {
            Some(value) => quote!(::core::option::Option::Some(#value)),
            None if self.required => quote!(::core::option::Option::None),
            None => quote!(<#ty as ::bulla_kit::Field>::missing()),
        };
        quote! {
            #ident: match ::bulla_kit::read_field::<#ty>(input, #name, #source)? {
                ::core::option::Option::Some(value) => value,
                ::core::option::Option::None => match #absent {
                    ::core::option::Option::Some(value) => value,
                    ::core::option::Option::None => return ::core::result::Result::Err(::bulla_kit::missing_field(#name)),
                },
            }
        }
    }
}

/// The doc comment's lines, joined by spaces.
fn doc_text(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter(|a| a.path().is_ident("doc")).filter_map(|attr| match &attr.meta {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join(" ").trim().to_owned()
}
